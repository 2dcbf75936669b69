"""Which pages are open: the streams on which they are told of their runs."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from math import inf

REMEMBERED_S = 600.0  # after the last stream of a page has ended


class Streams:
    """The open streams of every session; whoever serves them says when one begins and ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._lock = clock, threading.Lock()
        self._open: Counter[str] = Counter()
        self._left: dict[str, float] = {}  # when, in the order of leaving

    def enter(self, session: str) -> None:
        """A stream of the session begins."""
        with self._lock:
            self._open[session] += 1
            self._left.pop(session, None)

    def leave(self, session: str) -> None:
        """A stream of the session ends."""
        with self._lock:
            self._open[session] -= 1
            if self._open[session] > 0:
                return
            del self._open[session]
            now = self._clock()
            self._left.pop(session, None)
            self._left[session] = now
            for other, left in [*self._left.items()]:  # the oldest first
                if left >= now - REMEMBERED_S:
                    break
                del self._left[other]

    def open(self, session: str) -> bool:
        """Whether the session has a stream now."""
        with self._lock:
            return session in self._open

    def gone_for_s(self, session: str) -> float:
        """Seconds since its last stream ended; 0 while one is open, inf if none is remembered."""
        with self._lock:
            if session in self._open:
                return 0.0
            return self._clock() - self._left[session] if session in self._left else inf
