"""How often and how many at a time one address may ask: memory of the last minutes only."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from robustaudio.gate.refusal import Refusal

BURST_S = 15.0  # seconds' worth that may come at once: a page that opens asks for much
PATIENCE_S = 10.0  # how long a request waits before it is refused
MOST_WAITING = 64  # requests of one address
PAGE = 4  # the page itself may be asked for so many times less often
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
        """Seconds until a token is there; it is taken, unless that is beyond all patience.

        Raises:
            Refusal: then.
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


@dataclass
class Slots:
    """At most `most` at a time; the others wait in order, without a thread."""

    most: float
    running: int = 0
    waiting: deque[asyncio.Future] = field(default_factory=deque)

    async def enter(self) -> None:
        """Waits for a slot.

        Raises:
            Refusal: after `PATIENCE_S`, or at once where too many wait.
        """
        if self.running < self.most:
            self.running += 1
            return
        if len(self.waiting) >= MOST_WAITING:
            raise Refusal(429, BUSY, retry_s=PATIENCE_S)
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await asyncio.wait([turn], timeout=PATIENCE_S)
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        if not turn.done():
            self._give_up(turn)
            raise Refusal(429, BUSY, retry_s=PATIENCE_S)

    def leave(self) -> None:
        """Hands the slot on to the next who waits."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1

    def _give_up(self, turn: asyncio.Future) -> None:
        if turn.done():  # it came too late
            self.leave()
        else:
            self.waiting.remove(turn)

    @property
    def idle(self) -> bool:
        return not self.running and not self.waiting


@dataclass
class Share:
    """What one address has open."""

    bucket: Bucket
    page_bucket: Bucket
    writes: Slots
    uploads: Slots
    pages: Slots
    streams: int = 0

    @property
    def idle(self) -> bool:
        return not self.streams and all(s.idle for s in (self.writes, self.uploads, self.pages))


class Rates:
    """Shares of all addresses; the longest unseen are forgotten."""

    def __init__(self, requests: float, parallel: float, streams: float) -> None:
        self.requests, self.parallel, self.streams = requests, parallel, streams
        self._shares: OrderedDict[str, Share] = OrderedDict()

    def of(self, address: str) -> Share:
        share = self._shares.get(address)
        if share is None:
            buckets = Bucket(self.requests), Bucket(self.requests / PAGE)
            slots = Slots(self.parallel), Slots(self.parallel), Slots(self.parallel)
            share = self._shares[address] = Share(*buckets, *slots)
            self._forget()
        self._shares.move_to_end(address)
        return share

    @asynccontextmanager
    async def turn(self, address: str, kind: Kind = "write") -> AsyncIterator[None]:
        """A request's turn; an upload may take long, and has slots of its own, as has a page.

        Raises:
            Refusal: if it does not come in time.
        """
        share = self.of(address)
        wait_s = (share.page_bucket if kind == "page" else share.bucket).take()
        if wait_s:
            await asyncio.sleep(wait_s)
        slots = {"write": share.writes, "upload": share.uploads, "page": share.pages}[kind]
        await slots.enter()
        try:
            yield
        finally:
            slots.leave()

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
