"""Turns by address: whoever was served longest ago is next, and nobody holds every slot."""

import threading
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

REMEMBERED = 1000  # addresses and sessions whose last turn counts
ASKER: ContextVar[str] = ContextVar("asker", default="")  # address; "" on a private machine


class Served:
    """When each address and session had its last turn."""

    def __init__(self, last: Mapping[Hashable, int] | None = None) -> None:
        self._last = dict(last or {})  # the oldest first

    def last(self, key: Hashable) -> int:
        """The number of its last turn; -1 if it had none."""
        return self._last.get(key, -1)

    def note(self, *keys: Hashable) -> None:
        """It is their turn now."""
        turn = next(reversed(self._last.values()), -1) + 1
        for key in keys:
            self._last.pop(key, None)
            self._last[key] = turn
        while len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]

    def copy(self) -> "Served":
        """Another one with the same turns."""
        return Served(self._last)


@dataclass(eq=False)
class _Wait:
    asker: str


class Turns:
    """A lock with `slots` places, of which one `ASKER` holds one; the empty one any number."""

    def __init__(self, slots: int):
        self.slots = slots
        self._changed, self._served = threading.Condition(), Served()
        self._waiting, self._running = list[_Wait](), list[_Wait]()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a place, and holds it."""
        wait = _Wait(ASKER.get())
        with self._changed:
            self._waiting.append(wait)
            try:
                self._changed.wait_for(lambda: self._next() is wait)
                self._running.append(wait)
                self._served.note(wait.asker)
            finally:
                self._waiting.remove(wait)
                self._changed.notify_all()  # there may be another place
        try:
            yield
        finally:
            with self._changed:
                self._running.remove(wait)
                self._changed.notify_all()

    def _next(self) -> _Wait | None:
        if len(self._running) >= self.slots:
            return None
        busy = {wait.asker for wait in self._running} - {""}
        able = [wait for wait in self._waiting if wait.asker not in busy]
        return min(able, key=lambda wait: self._served.last(wait.asker), default=None)
