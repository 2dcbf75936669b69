"""Listeners who have begun: they count once the first check is passed, until then they make room.

Anybody with a link may begin as often as they like. Those who have heard the beeps of the first
check are listeners; the others are forgotten after a while, the oldest first where there are too
many.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from robustaudio.listening.run.store import Event, Store

MOST_LISTENERS = 2_000  # of a study
MOST_UNUSED = 200  # who have begun and passed no check
AT_ONCE = 20  # are forgotten: nobody waits for more than that


class Admission:
    """The sessions of one study by what they have done; other servers may write to its store."""

    def __init__(
        self, store: Store, token: str, unused_hours: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.store, self.token, self.unused_s = store, token, unused_hours * 3_600
        self._clock, self._lock = clock, threading.RLock()
        self._listeners: set[str] = set()
        self._unused: dict[str, float] = {}  # since when they are known, the oldest first

    def admit(self, start: Event) -> None:
        """Store the beginning of one more session.

        Raises:
            ValueError: when there have been too many listeners.
        """
        with self._lock:
            self.drop_unused(MOST_UNUSED - 1)
            if len(self._listeners) >= MOST_LISTENERS:
                raise ValueError(
                    f"this study has had {MOST_LISTENERS} listeners, which is the most."
                )
            self.store.append(start)
            self._unused[start.session] = self._clock()

    def passed(self, check: Event) -> None:
        """Store that the first check was passed: never while the session is being forgotten."""
        with self._lock:
            self.store.append(check)
            self._unused.pop(check.session, None)
            self._listeners.add(check.session)

    def drop_unused(self, most: int = MOST_UNUSED) -> None:
        """Forget sessions that began too long ago without a check, and the oldest beyond `most`.

        Sessions that cannot be read or deleted now are left, and tried again the next time.
        """
        with self._lock:
            self._look()
            ends = self._clock() - self.unused_s
            for name, since in [*self._unused.items()][:AT_ONCE]:
                if since > ends and len(self._unused) <= most:
                    return
                with suppress(OSError):
                    self._sort(name, since)  # another server may have seen the check
                    if name in self._unused:
                        self.store.delete(self.token, name)
                        del self._unused[name]

    def _look(self) -> None:
        """Note which sessions are new in the store, and which are gone."""
        names = dict.fromkeys(self.store.sessions(self.token))
        self._listeners &= names.keys()
        self._unused = {name: at for name, at in self._unused.items() if name in names}
        for name in names:
            if name not in self._listeners and name not in self._unused:
                with suppress(OSError):
                    self._sort(name, self._clock())

    def _sort(self, name: str, since: float) -> None:
        if is_unused(self.store.read(self.token, name)):
            self._unused[name] = since
        else:
            self._unused.pop(name, None)
            self._listeners.add(name)


def is_unused(events: list[Event]) -> bool:
    """Whether a session has begun and no more; what is damaged may have been anything."""
    return bool(events) and all(event.kind == "start" for event in events)


def is_taken(store: Store, token: str) -> bool:
    """Whether anybody has, or may have, passed the first check of a study."""
    try:
        return not all(is_unused(store.read(token, name)) for name in store.sessions(token))
    except OSError:
        return True
