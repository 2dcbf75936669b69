"""Rates: how often, and how many times at once, one address may ask."""

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Literal, get_args

from robustaudio.gate.refusal import Refusal

BURST_S = 15.0  # seconds' worth that may come at once: a page that opens asks for much
PATIENCE_S = 10.0  # how long a request waits before it is refused
MOST_WAITING = 64  # requests of one address
PAGE = 4  # times less often the page itself may be asked for
REMEMBERED = 4_096  # addresses, beside those that have a request open
BUSY = "too many requests came from your address; wait a few seconds and try again."

Kind = Literal["write", "upload", "page"]


@dataclass
class Bucket:
    """A token bucket: `rate` requests in a second on average, `BURST_S` seconds' worth at once.

    https://en.wikipedia.org/wiki/Token_bucket
    """

    rate: float
    tokens: float = field(init=False)
    filled: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.tokens = self.rate * BURST_S

    def take(self) -> float:
        """Take a token, and return the seconds until it is there.

        Raises:
            Refusal: if these are more than `PATIENCE_S`; then none is taken.
        """
        if self.rate == inf:
            return 0.0
        now = time.monotonic()
        grown = self.tokens + (now - self.filled) * self.rate
        self.tokens, self.filled = min(self.rate * BURST_S, grown), now
        wait_s = max(0.0, (1 - self.tokens) / self.rate)
        if wait_s > PATIENCE_S:
            raise Refusal(429, BUSY, retry_s=wait_s)
        self.tokens -= 1
        return wait_s


class Slots:
    """At most `most` requests run at a time; the others wait in order, without a thread."""

    def __init__(self, most: float) -> None:
        self.most, self.open = most, 0  # requests that run or wait
        self._free = asyncio.Semaphore(int(min(most, sys.maxsize)))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it.

        Raises:
            Refusal: after `PATIENCE_S`, or at once where too many wait.
        """
        if self.open >= self.most + MOST_WAITING:
            raise Refusal(429, BUSY, retry_s=PATIENCE_S)
        self.open += 1
        try:
            await self._acquire()
            try:
                yield
            finally:
                self._free.release()
        finally:
            self.open -= 1

    async def _acquire(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._free.acquire()
        except TimeoutError:
            raise Refusal(429, BUSY, retry_s=PATIENCE_S) from None


@dataclass
class Share:
    """What one address may ask for and has open, by the kind of request."""

    buckets: dict[Kind, Bucket]
    slots: dict[Kind, Slots]
    streams: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is open."""
        return not self.streams and not any(slots.open for slots in self.slots.values())


class Rates:
    """Shares of all addresses; the longest unseen are forgotten."""

    def __init__(self, requests: float, parallel: float, streams: float) -> None:
        self.requests, self.parallel, self.streams = requests, parallel, streams
        self._shares: OrderedDict[str, Share] = OrderedDict()

    def of(self, address: str) -> Share:
        """The share of an address."""
        if address not in self._shares:
            self._forget()
            bucket, page = Bucket(self.requests), Bucket(self.requests / PAGE)
            slots: dict[Kind, Slots] = {kind: Slots(self.parallel) for kind in get_args(Kind)}
            buckets: dict[Kind, Bucket] = {"write": bucket, "upload": bucket, "page": page}
            self._shares[address] = Share(buckets, slots)
        self._shares.move_to_end(address)
        return self._shares[address]

    @asynccontextmanager
    async def turn(self, address: str, kind: Kind) -> AsyncIterator[None]:
        """A request's turn; an upload may take long, and has slots of its own, as has a page.

        Raises:
            Refusal: if it does not come in time.
        """
        share = self.of(address)
        await asyncio.sleep(share.buckets[kind].take())
        async with share.slots[kind].slot():
            yield

    @asynccontextmanager
    async def stream(self, address: str) -> AsyncIterator[None]:
        """A connection that stays open.

        Raises:
            Refusal: if the address has too many.
        """
        share = self.of(address)
        if share.streams >= self.streams:
            raise Refusal(429, f"{self.streams:g} connections are open from your address, which "
                          "is the most; close a page.", retry_s=PATIENCE_S)  # fmt: skip
        share.streams += 1
        try:
            yield
        finally:
            share.streams -= 1

    def _forget(self) -> None:
        for address in [*self._shares]:
            if len(self._shares) <= REMEMBERED:
                return
            if self._shares[address].idle:
                del self._shares[address]
