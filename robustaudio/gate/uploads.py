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
from stat import S_ISDIR
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException

from robustaudio.gate.bodies import too_long
from robustaudio.gate.headers import Scope, value
from robustaudio.gate.refusal import Refusal
from robustaudio.serving.background import every

Count = Callable[[int], Awaitable[None]]

LOG = logging.getLogger(__name__)
MB = 1e6
HOUR_S = 3_600.0
AGE_S = HOUR_S  # at which a file goes: Gradio's own page promises it for an hour
EMPTY_S = 600.0  # age at which an empty folder goes: a new one is about to be filled
SWEEP_S = 60.0
STALE_S = 5.0  # age at which a measurement is made again, when another file comes
FILE, FOLDER = 8_192, 4_096  # bytes that an empty one counts
MOST_FILES = 4  # of one upload: the page sends one
REMEMBERED = 4_096  # addresses
FULL = "the server has no room for more files now; try again in an hour."
TOO_MUCH = (
    "{most:g} MB were uploaded from your address in the last hour, which is the most; try again "
    "later."
)


@dataclass
class Upload:
    """An upload that is coming in: bytes that are reserved for it, and that have come."""

    address: str
    reserved: int = 0
    came: int = 0


class Uploads:
    """The room in `folders`, and the end of old files in the first of them.

    `spared` names files that stay, whatever their age.
    """

    def __init__(
        self, folders: Sequence[Path], most_mb: float = inf, address_mb: float = inf,
        spared: Callable[[], Collection[str]] = tuple,
    ) -> None:  # fmt: skip
        self.folders, self.most_mb, self.address_mb = folders, most_mb, address_mb
        self.spared = spared
        self._stored, self._measured = 0, -inf  # bytes, when
        self._since: deque[tuple[float, int]] = deque()  # what came in since
        self._coming: list[Upload] = []
        self._hours: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()
        self._lock, self._measuring = threading.Lock(), threading.Lock()

    @asynccontextmanager
    async def room(self, address: str, length: int) -> AsyncIterator[Count]:
        """Room for an upload of about `length` bytes, and a function that counts those that come.

        Raises:
            Refusal: if there is no room, at the beginning or when bytes are counted.
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
            await asyncio.to_thread(self._measure_again)
        with self._lock:
            others = [other for other in self._coming if other is not upload]
            stored = self._stored + sum(more for _, more in self._since)
            if stored + sum(other.reserved for other in others) + size > self.most_mb * MB:
                raise Refusal(507, FULL, retry_s=HOUR_S)
            near = sum(other.reserved for other in others if other.address == upload.address)
            near += sum(more for _, more in self._of(upload.address))
            if near + size > self.address_mb * MB:
                raise Refusal(507, TOO_MUCH.format(most=self.address_mb), retry_s=HOUR_S / 4)
            upload.reserved = size

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
        stored = sum(_room(status) for folder in self.folders for _, status in entries(folder))
        with self._lock:
            self._stored, self._measured = stored, began
            while self._since and self._since[0][0] < began:
                self._since.popleft()
        return stored

    def _measure_again(self) -> None:
        """Measure, unless another thread just has."""
        with self._measuring:
            if time.monotonic() - self._measured > STALE_S:
                self.measure()

    def sweep(self, age_s: float = AGE_S) -> int:
        """Delete files older than `age_s`, unless spared, and empty folders; how many files."""
        spared = {*map(os.path.realpath, self.spared())}
        now, deleted = time.time(), 0
        for path, status in entries(os.path.realpath(self.folders[0])):
            with suppress(OSError):  # in use (Windows), or gone meanwhile
                if S_ISDIR(status.st_mode):
                    if now - status.st_mtime > min(EMPTY_S, age_s):
                        os.rmdir(path)  # fails unless it is empty
                elif now - status.st_ctime > age_s and path not in spared:
                    os.unlink(path)
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


def entries(folder: Path | str) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, contents before their folder; links are not followed."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            path = os.path.join(parent, name)
            with suppress(OSError):  # gone meanwhile
                yield path, os.lstat(path)


def _room(status: os.stat_result) -> int:
    """Bytes that a file or folder counts: many small ones fill a disk as well."""
    return FOLDER if S_ISDIR(status.st_mode) else max(FILE, status.st_size)


class Counted:
    """`receive` and `send` of an upload that is bounded and counted as its bytes come.

    A refusal ends the reader's work as a damaged form does, so that the reader cleans up behind
    itself, and stands in place of its answer.
    """

    def __init__(
        self, scope: Scope, receive: Callable, send: Callable, most: int, count: Count
    ) -> None:
        self._receive, self._send, self._count = receive, send, count
        self._left, self._most, self._whole = most, most, False
        _, options = parse_options_header(value(scope, "content-type"))
        self._boundary = b"--" + options.get(b"boundary", b"")
        self._boundaries, self._files, self._rest = 0, 0, b""
        self.refusal: Refusal | None = None

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

    async def _take(self, more: bytes) -> None:
        before, self._files = self._files, self._files_with(more)
        self._left -= len(more)
        if self._left < 0:
            raise too_long(self._most)
        if self._files > MOST_FILES:
            raise Refusal(413, f"at most {MOST_FILES} files can be sent at once.")
        await self._count(len(more) + (self._files - before) * (FILE + FOLDER))

    def _files_with(self, more: bytes) -> int:
        """Files of the form so far: each begins with its boundary, and so does the form's end."""
        text = self._rest + more
        self._boundaries += text.count(self._boundary)
        # what may be the beginning of another boundary; a whole one would be counted twice
        self._rest = text.rpartition(self._boundary)[2][-(len(self._boundary) - 1) :]
        return max(self._boundaries - 1, 0)

    async def send(self, message: dict[str, Any]) -> None:
        if self.refusal is None:
            await self._send(message)
