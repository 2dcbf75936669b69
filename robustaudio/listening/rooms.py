"""Open studies: listeners come with a token, a teacher with a key, and each ends on time."""

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from robustaudio.listening.room import Room
from robustaudio.listening.session import hour
from robustaudio.listening.store import STUDY, Event, MemoryStore, Store
from robustaudio.listening.study import Study
from robustaudio.listening.study_file import parse

TOKEN_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is taken for another
TOKEN_LENGTH = 10
PURGE_S = 60.0  # how often studies that have expired are looked for
LONGEST_H = 366 * 24
MOST_STUDIES = 200
FRESH_S = 5.0  # another server on the same store may close a study, or move its end


class Closed(LookupError):
    """A study that has expired, or was closed: its answers are gone."""


class Rooms:
    """All open studies of a store; a server that starts again finds them there.

    Demonstrations live in memory beside it, and end with the server.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._demo = MemoryStore()
        self._open: dict[str, tuple[Room, float]] = {}  # with the time of the last look
        self._lock = threading.Lock()

    def open(
        self,
        study: Study,
        hours: float | None = None,
        *,
        demo: bool = False,
        resume: bool = False,
    ) -> tuple[Room, str]:
        """A new room and a key for its teacher; with `resume`, the same study's room goes on.

        Only who owns the store may resume: the key opens what others have answered.

        Raises:
            ValueError: for impossible hours, or when too many studies are open.
        """
        store = self._demo if demo else self.store
        token = self._same(store, study) if resume else None
        if token is None:
            if len(store.studies()) >= MOST_STUDIES:
                raise ValueError(f"{MOST_STUDIES} studies are open here, which is the most.")
            expires = _from_now(study.expires_h if hours is None else hours)
            token = "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))
            data = {"study": study.record(), "sha256": study.digest, "hour": hour()}
            store.append(Event(token, STUDY, "open", 0, data))
            self._note(token, "expires", {"at": expires.isoformat(timespec="seconds")})
        return self.room(token), self.new_key(token)

    def room(self, token: str) -> Room:
        """The room of a token; the store is asked every few seconds whether it still exists.

        Raises:
            Closed: if it has expired, or never was.
        """
        now = time.monotonic()
        with self._lock:
            room, looked = self._open.get(token, (None, now))
        if room is None or now - looked > FRESH_S:
            events = self._events(token)
            expires = _end(events)
            if expires is None:
                self._forget(token)
                raise Closed("there is no such study, or it has been closed.")
            room = room or self._read(token, events, expires)
            room.expires = expires
            with self._lock:
                room, _ = self._open.get(token, (room, now))
                self._open[token] = room, now
        if room.expires <= datetime.now(UTC):
            self.close(token)
            raise Closed("this study is closed; its answers have been deleted.")
        return room

    def expire(self, token: str, hours: Any) -> None:
        """Moves the end of a study to so many hours from now.

        Raises:
            ValueError: for hours that are not above 0, or more than a year.
        """
        moment = _from_now(hours)
        self._note(token, "expires", {"at": moment.isoformat(timespec="seconds")})
        self.room(token).expires = moment

    def close(self, token: str) -> None:
        """Ends a study now, and deletes its answers."""
        self._forget(token)
        self._store_of(token).delete(token)

    def purge(self) -> None:
        """Closes what has expired, whether or not anybody still asks for it."""
        for token in [*self.store.studies(), *self._demo.studies()]:
            expires = _end(self._events(token))
            if expires is not None and expires <= datetime.now(UTC):
                self.close(token)

    def keep_purging(self) -> Callable[[], None]:
        """Purges now and every minute, in the background; returns what stops it."""
        stopped = threading.Event()

        def work() -> None:
            while not stopped.is_set():
                self.purge()
                stopped.wait(PURGE_S)

        threading.Thread(target=work, daemon=True, name="listening-purge").start()
        return stopped.set

    def new_key(self, token: str) -> str:
        """A key that opens the teacher's page; the store keeps its hash."""
        key = secrets.token_urlsafe(18)
        self._note(token, "teacher", {"sha256": _hash(key)})
        return key

    def is_teacher(self, token: str, key: str) -> bool:
        events = self._events(token)
        keys = [event.data["sha256"] for event in events if event.kind == "teacher"]
        return any(secrets.compare_digest(_hash(key), known) for known in keys)

    def _note(self, token: str, kind: str, data: dict[str, Any]) -> None:
        """A further fact of a study."""
        store = self._store_of(token)
        count = sum(event.kind == kind for event in self._events(token))
        while not store.append(Event(token, STUDY, kind, count, data)):
            count += 1

    def _store_of(self, token: str) -> Store:
        return self._demo if token in self._demo.studies() else self.store

    def _same(self, store: Store, study: Study) -> str | None:
        """The token of the same study, if it is open."""
        for token in store.studies():
            opened = next(event.data for event in self._events(token) if event.kind == "open")
            if opened["sha256"] == study.digest:
                return token
        return None

    def _events(self, token: str) -> list[Event]:
        try:
            return self._store_of(token).read(token, STUDY)
        except ValueError:  # no name of a study
            return []

    def _read(self, token: str, events: list[Event], expires: datetime) -> Room:
        """The room as the store has it."""
        opened = next(event.data for event in events if event.kind == "open")
        study = parse(json.dumps(opened["study"]), folder=None)
        return Room(token, study, self._store_of(token), expires)

    def _forget(self, token: str) -> None:
        with self._lock:
            self._open.pop(token, None)


def _from_now(hours: Any) -> datetime:
    if type(hours) not in (int, float) or not 0 < hours <= LONGEST_H:
        raise ValueError(f"{hours} hours must be above 0 and at most {LONGEST_H}.")
    return datetime.now(UTC) + timedelta(hours=hours)


def _end(events: list[Event]) -> datetime | None:
    """When a study ends, by the last word on it; None if there is no such study."""
    ends = [event.data["at"] for event in events if event.kind == "expires"]
    opened = any(event.kind == "open" for event in events)
    return datetime.fromisoformat(ends[-1]) if opened and ends else None


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
