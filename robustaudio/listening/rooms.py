"""Open studies: listeners come with a token, a teacher with a key, and each ends on time."""

import hashlib
import json
import secrets
import threading
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


class Closed(LookupError):
    """A study that has expired, or was closed: its answers are gone."""


class Rooms:
    """All open studies of a store; a server that starts again finds them there.

    Demonstrations live in memory beside it, and end with the server.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._demo = MemoryStore()
        self._open: dict[str, Room] = {}
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
        known = [room for token in store.studies() if (room := self._found(token))]
        same = (room for room in known if resume and room.study.digest == study.digest)
        room = next(same, None)
        if room is None:
            if len(known) >= MOST_STUDIES:
                raise ValueError(f"{MOST_STUDIES} studies are open here, which is the most.")
            token = "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))
            data = {"study": study.record(), "hour": hour()}
            store.append(Event(token, STUDY, "open", 0, data))
            self.expire(token, study.expires_h if hours is None else hours)
            room = self.room(token)
        return room, self.new_key(room.token)

    def room(self, token: str) -> Room:
        """The room of a token.

        Raises:
            Closed: if it has expired, or never was.
        """
        with self._lock:
            room = self._open.get(token)
        if room is None and (room := self._read(token)) is not None:
            with self._lock:
                room = self._open.setdefault(token, room)
        if room is None:
            raise Closed("there is no such study, or it has been closed.")
        if room.expires <= datetime.now(UTC):
            self.close(token)
            raise Closed("this study is closed; its answers have been deleted.")
        return room

    def expire(self, token: str, hours: Any) -> None:
        """Moves the end of a study to so many hours from now.

        Raises:
            ValueError: for hours that are not above 0, or more than a year.
        """
        if type(hours) not in (int, float) or not 0 < hours <= LONGEST_H:
            raise ValueError(f"{hours} hours must be above 0 and at most {LONGEST_H}.")
        moment = datetime.now(UTC) + timedelta(hours=hours)
        self._note(token, "expires", {"at": moment.isoformat(timespec="seconds")})
        with self._lock:
            if token in self._open:
                self._open[token].expires = moment

    def close(self, token: str) -> None:
        """Ends a study now, and deletes its answers."""
        with self._lock:
            self._open.pop(token, None)
        self._store_of(token).delete(token)

    def purge(self) -> None:
        """Closes what has expired."""
        for token in [*self.store.studies(), *self._demo.studies()]:
            self._found(token)

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
        events = self._store_of(token).read(token, STUDY)
        keys = [event.data["sha256"] for event in events if event.kind == "teacher"]
        return any(secrets.compare_digest(_hash(key), known) for known in keys)

    def _note(self, token: str, kind: str, data: dict[str, Any]) -> None:
        """A further fact of a study."""
        store = self._store_of(token)
        count = sum(event.kind == kind for event in store.read(token, STUDY))
        while not store.append(Event(token, STUDY, kind, count, data)):
            count += 1

    def _store_of(self, token: str) -> Store:
        return self._demo if token in self._demo.studies() else self.store

    def _found(self, token: str) -> Room | None:
        try:
            return self.room(token)
        except Closed:
            return None

    def _read(self, token: str) -> Room | None:
        """The room as the store has it."""
        try:
            events = self._store_of(token).read(token, STUDY)
        except ValueError:  # no name of a study
            return None
        opened = next((event.data for event in events if event.kind == "open"), None)
        ends = [event.data["at"] for event in events if event.kind == "expires"]
        if opened is None or not ends:
            return None
        study = parse(json.dumps(opened["study"]), folder=None)
        return Room(token, study, self._store_of(token), datetime.fromisoformat(ends[-1]))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
