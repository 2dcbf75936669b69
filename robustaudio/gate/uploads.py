"""Files of visitors on disk: how much they may fill, and when they go."""

import asyncio
import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from starlette.formparsers import MultiPartException

from robustaudio.gate.refusal import Refusal
from robustaudio.serving.background import every

Count = Callable[[int], Awaitable[None]]
Take = Callable[[bytes], Awaitable[None]]

LOG = logging.getLogger(__name__)
MB = 1e6
HOUR_S = 3_600.0
AGE_S = HOUR_S  # of a file that nothing spares: Gradio's own page promises it for an hour
EMPTY_S = 600.0  # of a folder: one that was just made is about to be filled
SWEEP_S = 60.0
STALE_S = 5.0  # of what was measured, when another file comes
FILE, FOLDER = 8_192, 4_096  # bytes that even an empty one counts
REMEMBERED = 4_096  # addresses
FULL = "the server has no room for more files now; try again in an hour."
TOO_MUCH = "{most:g} MB were uploaded from your address in the last hour, which is the most; "
TOO_MUCH += "try again later."


@dataclass
class Upload:
    """One that is coming in: bytes that it may fill, as far as they are known."""

    address: str
    reserved: int = 0
    came: int = 0


class Uploads:
    """The room of `folders`; what lies in the first of them goes when it is old.

    `spared` names files that stay, whatever their age.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        most_mb: float = inf,
        address_mb: float = inf,
        spared: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self.folders, self.most_mb, self.address_mb = folders, most_mb, address_mb
        self.spared = spared
        self._stored, self._measured = 0, -inf  # bytes, when
        self._since: deque[tuple[float, int]] = deque()  # what came in since
        self._coming: list[Upload] = []
        self._hours: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()
        self._lock, self._measuring = threading.Lock(), threading.Lock()

    @asynccontextmanager
    async def room(self, address: str, length: int) -> AsyncIterator[Count]:
        """Room for an upload of about `length` bytes; to be told of the bytes as they come.

        Raises:
            Refusal: if there is none, here or when told.
        """
        upload = Upload(address)
        with self._lock:
            self._coming.append(upload)

        async def count(size: int) -> None:
            upload.came += size
            if upload.came > upload.reserved:
                await self._reserve(upload, upload.came)

        try:
            await self._reserve(upload, length)
            yield count
        finally:
            entry = time.monotonic(), upload.came
            with self._lock:
                self._coming.remove(upload)
                if upload.came:
                    self._since.append(entry)
                    self._of(address).append(entry)

    async def _reserve(self, upload: Upload, size: int) -> None:
        """Raises Refusal if `size` bytes are too many; then nothing is reserved for them."""
        if self.most_mb < inf:
            if time.monotonic() - self._measured > STALE_S:
                await asyncio.to_thread(self._measure_again)
            if self._used(upload) + size > self.most_mb * MB:
                raise Refusal(507, FULL, retry_s=HOUR_S)
        with self._lock:
            others = [u for u in self._coming if u.address == upload.address and u is not upload]
            mine = sum(u.reserved for u in others) + sum(n for _, n in self._of(upload.address))
            if mine + size > self.address_mb * MB:
                raise Refusal(507, TOO_MUCH.format(most=self.address_mb), retry_s=HOUR_S / 4)
            upload.reserved = size

    def _used(self, but: Upload) -> int:
        """Bytes that are on disk, and those of the others that come in."""
        with self._lock:
            coming = sum(upload.reserved for upload in self._coming if upload is not but)
            return self._stored + sum(size for _, size in self._since) + coming

    def _of(self, address: str) -> deque[tuple[float, int]]:
        """What an address has uploaded within the hour."""
        hour = self._hours.setdefault(address, deque())
        self._hours.move_to_end(address)
        while hour and hour[0][0] < time.monotonic() - HOUR_S:
            hour.popleft()
        while len(self._hours) > REMEMBERED:
            self._hours.popitem(last=False)
        return hour

    def measure(self) -> int:
        """Bytes of all files and folders, as they are now."""
        began = time.monotonic()
        stored = sum(entry.room for folder in self.folders for entry in entries(folder))
        with self._lock:
            self._stored, self._measured = stored, began
            while self._since and self._since[0][0] < began:
                self._since.popleft()
        return stored

    def _measure_again(self) -> None:
        """Measures, unless another thread just has."""
        with self._measuring:
            if time.monotonic() - self._measured > STALE_S:
                self.measure()

    def sweep(self, age_s: float = AGE_S) -> int:
        """Deletes what is older than `age_s` and not spared, and empty folders; how many files."""
        spared = {*map(os.path.realpath, self.spared())}
        now, deleted = time.time(), 0
        for entry in entries(os.path.realpath(self.folders[0])):
            with suppress(OSError):  # in use (Windows), or gone meanwhile
                if entry.folder:
                    if now - entry.stat.st_mtime > min(EMPTY_S, age_s):
                        os.rmdir(entry.path)  # fails unless it is empty
                elif now - entry.stat.st_ctime > age_s and entry.path not in spared:
                    os.unlink(entry.path)
                    deleted += 1
        return deleted

    def keep_sweeping(self) -> Callable[[], None]:
        """Sweep and measure now and every minute, in the background; returns what stops it."""

        def work() -> None:
            self.sweep()
            self.measure()

        def failed(error: Exception) -> None:
            LOG.warning("the folder of uploads cannot be swept: %s", error)

        return every(SWEEP_S, work, failed, "uploads-sweep")


@dataclass(frozen=True)
class Entry:
    path: str
    stat: os.stat_result
    folder: bool

    @property
    def room(self) -> int:
        """Bytes that it counts: many small ones fill a disk as well."""
        return FOLDER if self.folder else max(FILE, self.stat.st_size)


def entries(folder: Path | str) -> Iterator[Entry]:
    """Everything below a folder, contents before their folder; links are not followed."""
    try:
        scanned = [*os.scandir(folder)]
    except OSError:  # not there (yet)
        return
    for entry in scanned:
        with suppress(OSError):
            below = entry.is_dir(follow_symlinks=False)
            if below:
                yield from entries(entry.path)
            yield Entry(entry.path, entry.stat(follow_symlinks=False), below)


class Counted:
    """`receive` and `send` of an upload whose bytes `take` counts as they come.

    A refusal ends the reader's work as a damaged form does, so that the reader cleans up behind
    itself, and stands in place of its answer.
    """

    def __init__(self, receive: Callable, send: Callable, take: Take) -> None:
        self._receive, self._send, self._take = receive, send, take
        self.refusal: Refusal | None = None
        self._whole = False

    async def receive(self) -> dict[str, Any]:
        message = await self._receive()
        try:
            if message["type"] == "http.disconnect" and not self._whole:
                raise Refusal(400, "the connection was lost.")
            self._whole = not message.get("more_body")
            await self._take(message.get("body", b""))
        except Refusal as refusal:
            self.refusal = refusal
            raise MultiPartException(refusal.sentence) from refusal
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if self.refusal is None:
            await self._send(message)
