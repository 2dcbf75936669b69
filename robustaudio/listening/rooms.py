"""Open studies: listeners come with a token, a teacher with a key, and each ends on time."""

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from robustaudio.limits import PRIVATE, Limits
from robustaudio.listening.room import Room
from robustaudio.listening.session import hour
from robustaudio.listening.store import NAME, STUDY, Event, MemoryStore, Store
from robustaudio.listening.study import LONGEST_H, Study
from robustaudio.listening.study_file import recorded, study_in

TOKEN_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is taken for another
TOKEN_LENGTH = 10
PURGE_S = 60.0  # how often studies that have expired are looked for
MOST_STUDIES = 200
CLOSED = "this study is closed; its answers have been deleted."
FRESH_S = 5.0  # another server on the same store may close a study, or move its end


LOG = logging.getLogger(__name__)


class NoStudy(LookupError):
    """No study has this token: it is mistyped, or the study is over and nothing is left of it."""


class Closed(NoStudy):
    """A study that has expired, or was closed: its answers are gone."""


class Rooms:
    """All open studies of a store; a server that starts again finds them there.

    Demonstrations live in memory beside it, and end with the server.
    """

    def __init__(self, store: Store, limits: Limits = PRIVATE) -> None:
        self.store, self.limits = store, limits
        self._demo = MemoryStore()
        self._open: dict[str, tuple[Room, float]] = {}  # with the time of the last look
        self._closed: set[str] = set()  # as far as this server saw it
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

        Only who owns the store may resume: the key opens what others have answered. Its end moves
        by `hours`, unless that is later than listeners have agreed to. Where listeners were
        simulated, no people join them.

        Raises:
            ValueError: for impossible hours, for a study that could not be read again, or when too
                many studies are open.
        """
        store = self._demo if demo else self.store
        end = _from_now(study.expires_h if hours is None else hours)
        token = self._same(store, study) if resume else None
        if token is None:
            if len(store.studies()) >= MOST_STUDIES:
                raise ValueError(f"{MOST_STUDIES} studies are open here, which is the most.")
            token = "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))
            data = {"study": _readable(study), "sha256": study.digest, "hour": hour()}
            store.append(_ends(token, end))  # first, so that nothing is ever open without an end
            store.append(Event(token, STUDY, "open", 0, data))
        elif hours is not None and not self._agreed_before(token, end):
            self._move(token, end)
        return self.room(token), self.new_key(token)

    def room(self, token: str) -> Room:
        """The room of a token; the store is asked every few seconds whether it still exists.

        Raises:
            Closed: if it has expired, or was closed while this server knew it.
            NoStudy: for any other token.
            ValueError: if what is stored of the study is damaged.
        """
        now = time.monotonic()
        with self._lock:
            room, looked = self._open.get(token, (None, now))
        if room is None or now - looked > FRESH_S:
            events = self._events(token)
            opened, end = _opened(events), _end(events)
            if not opened or not end:
                if room:  # another server closed it
                    self._forget(token)
                if token in self._closed:
                    raise Closed(CLOSED)
                raise NoStudy(
                    "there is no study at this link: it may be mistyped, or the study is over and "
                    "nothing is left of it."
                )
            if room is None:
                study = _stored(token, opened)
                room = Room(token, study, self._store_of(token), end)
            room.expires = end
            with self._lock:
                room, _ = self._open.get(token, (room, now))
                self._open[token] = room, now
        if room.expires <= datetime.now(UTC):
            self.close(token)
            raise Closed(CLOSED)
        return room

    def expire(self, token: str, hours: Any) -> None:
        """Moves the end of a study to so many hours from now.

        Raises:
            ValueError: for hours that are not above 0, or more than a year, or lead beyond the end
                that listeners have agreed to.
        """
        room, end = self.room(token), _from_now(hours)
        if self._agreed_before(token, end):
            raise ValueError(
                f"listeners have agreed that their answers are deleted at "
                f"{room.expires:%Y-%m-%d %H:%M} UTC; the end may come nearer, but not go beyond."
            )
        self._move(token, end)

    def ends(self) -> dict[str, datetime]:
        """When each study of the store ends or ended, by its token, of those that say so."""
        ends = {}
        for token in self.store.studies():
            with suppress(OSError, ValueError):
                if end := _end(self._events(token)):
                    ends[token] = end
        return ends

    def close(self, token: str) -> None:
        """Ends a study now, and deletes its answers."""
        self._forget(token)
        self._store_of(token).delete(token)

    def purge(self) -> tuple[list[str], list[str]]:
        """Closes what has expired, asked for or not, and what has no end that can be read.

        Returns the tokens of what was closed, and of what could not be: why is logged, and the
        next purge tries again.
        """
        closed, left = [], []
        for token in [*self.store.studies(), *self._demo.studies()]:
            try:
                end = _end(self._events(token))
                if end is None or end <= datetime.now(UTC):
                    self.close(token)
                    closed.append(token)
            except Exception as error:  # one study's trouble is not the others'
                LOG.warning("study %s cannot be purged: %s", token, error)
                left.append(token)
        return closed, left

    def keep_purging(self) -> Callable[[], None]:
        """Purges now and every minute, in the background; returns what stops it."""
        stopped = threading.Event()

        def work() -> None:
            while not stopped.is_set():
                try:
                    self.purge()
                except Exception as error:  # a store that is away for a while
                    LOG.warning("the store cannot be purged: %s", error)
                stopped.wait(PURGE_S)

        threading.Thread(target=work, daemon=True, name="listening-purge").start()
        return stopped.set

    def new_key(self, token: str) -> str:
        """A key that opens the teacher's page; the store keeps its hash."""
        key = secrets.token_urlsafe(18)
        self._note(Event(token, STUDY, "teacher", 0, {"sha256": _hash(key)}))
        return key

    def of_teacher(self, token: str, key: str) -> Room:
        """The room of a token, for who has a key.

        Raises:
            PermissionError: with another key.
            NoStudy: as `room` does.
        """
        room = self.room(token)
        if not self.is_teacher(token, key):
            raise PermissionError("this key does not open the page; use the whole link.")
        return room

    def is_teacher(self, token: str, key: str) -> bool:
        events = self._events(token)
        keys = [str(event.data.get("sha256")) for event in events if event.kind == "teacher"]
        return any(secrets.compare_digest(_hash(key).encode(), known.encode()) for known in keys)

    def _note(self, event: Event) -> None:
        """A further fact of a study, at the first index that is free."""
        store = self._store_of(event.study)
        index = sum(known.kind == event.kind for known in self._events(event.study))
        while not store.append(replace(event, index=index)):
            index += 1

    def _move(self, token: str, end: datetime) -> None:
        self._note(_ends(token, end))
        self.room(token).expires = end

    def _agreed_before(self, token: str, end: datetime) -> bool:
        """Whether listeners have agreed to an end that comes before this one."""
        agreed = _end(self._events(token))
        return bool(agreed and agreed < end and self._store_of(token).sessions(token))

    def _store_of(self, token: str) -> Store:
        return self._demo if token in self._demo.studies() else self.store

    def _same(self, store: Store, study: Study) -> str | None:
        """The token of the same study, if it is open, and for people; damaged ones do not count."""
        for token in store.studies():
            try:
                events = self._events(token)
                opened, end = _opened(events), _end(events)
                same = opened and opened.get("sha256") == study.digest
                if same and end and end > datetime.now(UTC) and not self._simulated(token):
                    return token
            except (OSError, ValueError, LookupError) as error:
                LOG.warning("study %s is passed by: %s", token, error)
        return None

    def _simulated(self, token: str) -> bool:
        """Whether any of its listeners is no person."""
        return any(session.simulated for session in self.room(token).sessions().values())

    def _events(self, token: str) -> list[Event]:
        """The study's own; none for what is no token."""
        return self._store_of(token).read(token, STUDY) if NAME.fullmatch(token) else []

    def _forget(self, token: str) -> None:
        with self._lock:
            self._open.pop(token, None)
            self._closed.add(token)


def _from_now(hours: Any) -> datetime:
    if type(hours) not in (int, float) or not 0 < hours <= LONGEST_H:
        raise ValueError(f"{hours} hours must be above 0 and at most {LONGEST_H}.")
    return datetime.now(UTC) + timedelta(hours=hours)


def _ends(token: str, end: datetime) -> Event:
    return Event(token, STUDY, "expires", 0, {"at": end.isoformat(timespec="seconds")})


def _end(events: list[Event]) -> datetime | None:
    """When a study ends, by the last word on it that can be read."""
    for event in reversed(events):
        if event.kind == "expires":
            with suppress(KeyError, TypeError, ValueError):
                return datetime.fromisoformat(event.data["at"]).astimezone(UTC)
    return None


def _opened(events: list[Event]) -> dict[str, Any] | None:
    """What was opened: the study's record and digest."""
    return next((event.data for event in events if event.kind == "open"), None)


def _readable(study: Study) -> dict[str, Any]:
    """The study's record, once it was read as `room` will read it.

    Raises:
        ValueError: if it cannot be: then nothing is stored.
    """
    try:
        return recorded(study)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the study could not be read again, and is not opened: {error}"
        ) from error


def _stored(token: str, opened: dict[str, Any]) -> Study:
    """The study that was opened.

    Raises:
        ValueError: if it cannot be read any more.
    """
    try:
        return study_in(opened["study"])
    except (LookupError, ValueError) as error:
        raise ValueError(f"what is stored of study {token} is damaged: {error}") from error


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
