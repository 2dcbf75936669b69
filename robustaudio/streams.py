"""Which pages are open: the streams on which they are told of their runs."""

import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from math import inf
from typing import Any
from urllib.parse import parse_qs

STREAM = "/gradio_api/queue/data"
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
        """It ends; so often as it has begun."""
        with self._lock:
            self._open[session] -= 1
            if self._open[session] > 0:
                return
            del self._open[session]
            self._left.pop(session, None)
            self._left[session] = self._clock()
            self._forget()

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

    def _forget(self) -> None:
        """What left long ago is as good as unknown."""
        oldest = self._clock() - REMEMBERED_S
        for session, left in [*self._left.items()]:
            if left >= oldest:
                break
            del self._left[session]


class Counted:
    """ASGI middleware: tells `streams` of every stream of Gradio's that begins or ends."""

    def __init__(self, app: Callable[..., Awaitable[None]], streams: Streams):
        self.app, self.streams = app, streams

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable, send: Callable
    ) -> None:
        if (session := session_of(scope)) is None:
            return await self.app(scope, receive, send)
        self.streams.enter(session)
        try:
            return await self.app(scope, receive, send)
        finally:
            self.streams.leave(session)


def session_of(scope: MutableMapping[str, Any]) -> str | None:
    """The session whose stream a request is; None of any other request."""
    if scope["type"] != "http" or not scope["path"].endswith(STREAM):
        return None
    asked = parse_qs(scope["query_string"].decode("latin-1"))
    return asked.get("session_hash", [None])[0]
