"""Turns by address: whoever was served longest ago is next, and nobody holds every slot."""

import threading
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

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
        """Note that it is the turn of these now."""
        turn = next(reversed(self._last.values()), -1) + 1
        for key in keys:
            self._last.pop(key, None)
            self._last[key] = turn
        while len(self._last) > REMEMBERED:
            del self._last[next(iter(self._last))]

    def copy(self) -> "Served":
        """Another one with the same turns."""
        return Served(self._last)


class Turns:
    """A lock with `slots` places, of which one `ASKER` holds one; the empty one any number."""

    def __init__(self, slots: int):
        self.slots = slots
        self._changed, self._served = threading.Condition(), Served()
        self._tickets = count()
        self._waiting, self._running = dict[int, str](), dict[int, str]()  # askers by their tickets

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, and hold it."""
        ticket, asker = next(self._tickets), ASKER.get()
        with self._changed:
            self._waiting[ticket] = asker
            try:
                self._changed.wait_for(lambda: self._next() == ticket)
                self._running[ticket] = asker
                self._served.note(asker)
            finally:
                del self._waiting[ticket]
                self._changed.notify_all()  # there may be another place
        try:
            yield
        finally:
            with self._changed:
                del self._running[ticket]
                self._changed.notify_all()

    def _next(self) -> int | None:
        """The ticket of whoever is next, if there is a place."""
        if len(self._running) >= self.slots:
            return None
        busy = {*self._running.values()} - {""}
        able = [ticket for ticket, asker in self._waiting.items() if asker not in busy]
        return min(able, key=lambda ticket: self._served.last(self._waiting[ticket]), default=None)
