"""Open studies: listeners come with a token, a teacher with a key, and each ends on time."""

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from robustaudio.limits import NOBODY, PRIVATE, Limits, Visitor
from robustaudio.listening.design.study import LONGEST_H, Study
from robustaudio.listening.design.study_file import recorded, study_in
from robustaudio.listening.run.begun import is_taken
from robustaudio.listening.run.charter import COPIES, Charter, charter, ends, next_index
from robustaudio.listening.run.clocks import Clocks
from robustaudio.listening.run.open_study import Room
from robustaudio.listening.run.opened import Opened
from robustaudio.listening.run.session import hour
from robustaudio.listening.run.store import NAME, STUDY, Event, MemoryStore, Store

TOKEN_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is taken for another
TOKEN_LENGTH = 10
PURGE_S = 60.0  # how often studies that have expired are looked for
MOST_STUDIES = 200
CLOSED = "this study is closed; its answers have been deleted."
OVER = "this study is over; its answers are deleted within minutes."
NO_STUDY = (
    "there is no study at this link: it may be mistyped, or the study is over and nothing is left "
    "of it."
)
NO_END = "when this study ends can no longer be read, for what is stored of it is damaged"
KEPT = "it is closed to listeners, and its answers are kept until whoever opened it deletes them"
NO_STUDY_OF = (
    "there are answers, but nothing says what was asked, or until when; they are kept until "
    "somebody deletes them"
)
NOT_READ = (
    "lies among the answers and is not read, for no study is called so; nothing in it is deleted "
    "when its time comes"
)
NEVER = datetime.max.replace(tzinfo=UTC)
HOUR = "%Y-%m-%dT%HZ"  # of events
FRESH_S = 5.0  # another server on the same store may close a study, or move its end


LOG = logging.getLogger(__name__)


class NoStudy(LookupError):
    """No study has this token: it is mistyped, or the study is over and nothing is left of it."""


class Closed(NoStudy):
    """A study that has expired, or was closed: its answers are gone, or will be in minutes."""


class WrongKey(ValueError):
    """A key that does not open a teacher's page."""


class Quarantined(ValueError):
    """A study that is damaged so that nobody can say when it ends: its owner decides."""


class Rooms:
    """All open studies of a store; a server that starts again finds them there.

    Demonstrations live in memory beside it, and end with the server.
    """

    def __init__(
        self, store: Store, limits: Limits = PRIVATE, clocks: Clocks | None = None
    ) -> None:
        self.store, self.limits, self.clocks = store, limits, clocks or Clocks()
        self._demo = MemoryStore()
        self._open: dict[str, tuple[Room, float]] = {}  # with the time of the last look
        self._closed: set[str] = set()  # as far as this server saw it
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._opened = Opened(limits)
        self._warned: set[str] = set()

    def open(
        self,
        study: Study,
        hours: float | None = None,
        *,
        demo: bool = False,
        resume: bool = False,
        visitor: Visitor = NOBODY,
    ) -> tuple[Room, str]:
        """A new room and a key for its teacher; with `resume`, the same study's room goes on.

        Only who owns the store may resume: the key opens what others have answered. Its end moves
        by `hours`, unless that is later than listeners have agreed to. Where listeners were
        simulated, no people join them.

        Raises:
            ValueError: for impossible hours, for a study that could not be read again, or when too
                many studies are open, of the visitor or of all.
        """
        store = self._demo if demo else self.store
        end = _from_now(study.expires_h if hours is None else hours)
        token = self._same(store, study) if resume else None
        if token is None:
            token = "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))
            data = {"study": _readable(study), "sha256": study.digest, "hour": hour()}
            with self._opening:
                self._make_room(store, visitor)
                self._opened.note(token, visitor)
                self._move_end(store, token, end)  # first: nothing is open without an end
            store.append(Event(token, STUDY, "open", 0, data))
        elif hours is not None and not self._agreed_before(token, end):
            self._move(token, end)
        return self.room(token), self.new_key(token)

    def room(self, token: str) -> Room:
        """The room of a token; the store is asked every few seconds whether it still exists.

        Raises:
            Closed: if it has expired, or was closed while this server knew it.
            NoStudy: for any other token.
            Quarantined: if it cannot be read when it ends.
            ValueError: if what is stored of the study is damaged.
        """
        room = self.kept(token)
        if room.closed:
            raise Quarantined(room.closed)
        return room

    def kept(self, token: str) -> Room:
        """The room of a token for its owner, who may see it in quarantine too (`Room.closed`).

        Raises:
            Closed, NoStudy, ValueError: as `room` does.
        """
        now = time.monotonic()
        with self._lock:
            room, looked = self._open.get(token, (None, now))
        if room is None or now - looked > FRESH_S:
            fresh = self._read(token)
            if room is None:
                room = fresh
            room.expires, room.closed, room.damaged = fresh.expires, fresh.closed, fresh.damaged
            with self._lock:
                room, _ = self._open.get(token, (room, now))
                self._open[token] = room, now
        if not room.closed and room.expires <= self._now():
            raise Closed(OVER)  # deleted by the next purge, which knows whether the clock is right
        return room

    def _read(self, token: str) -> Room:
        """The room as it is in the store."""
        facts = self._charter(token)
        if facts.closed:
            self._forget(token)
            raise Closed(CLOSED)
        if facts.opened is None:
            with self._lock:
                known = self._open.pop(token, None)
            if known and not facts.damaged:  # another server closed it
                self._closed.add(token)
            if token in self._closed:
                raise Closed(CLOSED)
            if facts.damaged or (NAME.fullmatch(token) and self._store_of(token).sessions(token)):
                raise ValueError(f"what is stored of study {token} is damaged: {KEPT}.")
            raise NoStudy(NO_STUDY)
        closed = f"{NO_END}; {KEPT}." if facts.end is None or facts.doubtful else ""
        room, _ = self._open.get(token, (None, 0.0))
        study = room.study if room else _stored(token, facts.opened)
        end = facts.end or NEVER
        return Room(
            token, study, self._store_of(token), end, closed, facts.damaged,
            self.limits.unused_hours,
        )  # fmt: skip

    def expire(self, token: str, hours: Any) -> None:
        """Moves the end of a study to so many hours from now.

        Raises:
            ValueError: for hours that are not above 0, or more than a year, or lead beyond the end
                that listeners have agreed to.
        """
        room, end = self.kept(token), _from_now(hours)
        if room.closed and self._store_of(token).sessions(token):
            raise Quarantined(
                "to which end listeners have agreed can no longer be read; take the answers along, "
                "and close the study."
            )
        if self._agreed_before(token, end):
            raise ValueError(
                f"listeners have agreed that their answers are deleted at "
                f"{room.expires:%Y-%m-%d %H:%M} UTC; the end may come nearer, but not go beyond."
            )
        self._move(token, end)

    def ends(self) -> dict[str, datetime]:
        """When each study of the store ends or ended, by its token, where that is certain."""
        ends = {}
        for token in self.store.studies():
            with suppress(OSError, ValueError):
                facts = self._charter(token)
                if facts.closed:
                    ends[token] = min(facts.end or NEVER, datetime.now(UTC))
                elif facts.end and not facts.doubtful:
                    ends[token] = facts.end
        return ends

    def quarantined(self) -> list[str]:
        """Studies of which nobody can say when they end, and which are kept for that."""
        tokens = []
        for token in self.store.studies():
            try:
                facts = self._charter(token)
            except OSError:
                tokens.append(token)
                continue
            if not facts.closed and (facts.end is None or facts.doubtful):
                tokens.append(token)
        return tokens

    def close(self, token: str) -> None:
        """Ends a study now, and deletes its answers: what a kill interrupts, the next purge does.

        That it is closed is on the disk before the first answer is deleted.
        """
        self._forget(token)
        store = self._store_of(token)
        if NAME.fullmatch(token):
            try:
                for _ in range(0 if self._charter(token).closed else COPIES):
                    self._note(Event(token, STUDY, "closed", 0, {"hour": hour()}))
            except OSError as error:  # a disk that is full: to delete makes room
                words = f"study {token} is deleted without a note of it: {_said(error)}"
                self._warn(f"note of {token}", words)
        store.delete(token)

    def purge(self, *, by_time: bool = True) -> tuple[list[str], list[str]]:
        """Deletes what has expired, asked for or not, and what was being closed.

        What has expired goes only if the clock can be believed (`Clocks`), and if it is certain
        when it ended; what never had an end, only if nobody answered. What is kept in spite of
        its end is logged once, and so is each trouble while it lasts.

        Returns the tokens of what was deleted, and of what could not be: why is logged, and the
        next purge tries again.
        """
        stores = self.store, self._demo
        charters, closed, left = {}, [], []
        for token in [token for store in stores for token in store.studies()]:
            with self._in_trouble(token, left):
                charters[token] = self._charter(token)
        now = self._believed(charters) if by_time else None
        for token, facts in charters.items():
            with self._in_trouble(token, left):
                if self._is_over(token, facts, now):
                    self.close(token)
                    closed.append(token)
        for store in stores:
            orphans = store.orphans()
            deleted = store.deleted() if orphans else set()
            for token in orphans:
                with self._in_trouble(token, left):
                    if token in deleted:  # it came in while the study was deleted
                        store.delete(token)
                        closed.append(token)
                    else:
                        self._warn(token, f"study {token}: {NO_STUDY_OF} (listen purge).")
        for name in self.store.others():
            self._warn(f"other {name}", f"{name!r} {NOT_READ}.")
        self._warned -= {f"trouble with {token}" for token in charters.keys() - {*left}}
        return closed, left

    def drop_unused(self) -> None:
        """Forgets listeners who passed no check, and closes visitors' tests that nobody took."""
        with self._lock:
            rooms = [room for room, _ in self._open.values()]
        for room in rooms:
            with suppress(OSError):  # one study's trouble is not the others'
                room.begun.drop_unused()
        if self._opened.shared:
            there = {*self.store.studies(), *self._demo.studies()}
            for token in there.intersection(self._opened.old()):
                self._close_unused(token)

    @contextmanager
    def _in_trouble(self, token: str, left: list[str]) -> Iterator[None]:
        """One study's trouble is not the others': it is logged, and the study is left."""
        try:
            yield
        except Exception as error:
            left.append(token)
            self._warn(f"trouble with {token}", f"study {token} cannot be purged: {_said(error)}")

    def _is_over(self, token: str, facts: Charter, now: datetime | None) -> bool:
        """Whether a study is to be deleted; None for `now` if nobody knows the time."""
        if facts.closed:
            return True
        damaged = facts.damaged or facts.doubtful
        if facts.end is None and not damaged and not self._store_of(token).sessions(token):
            return True  # its opening was interrupted
        if facts.end is None or facts.doubtful:
            self._warn(token, f"study {token}: {NO_END}; {KEPT} (listen purge).")
            return False
        return now is not None and facts.end <= now

    def _believed(self, charters: dict[str, Charter]) -> datetime | None:
        """The time of day, if it can be believed."""
        wall = datetime.fromtimestamp(self.clocks.wall(), UTC)
        over = [token for token, facts in charters.items() if facts.end and facts.end <= wall]
        seconds = self.clocks.believed(lambda: self._newest(over))
        if seconds is not None:
            self._warned.discard("clock")
            return datetime.fromtimestamp(seconds, UTC)
        if over:
            self._warn(
                "clock",
                f"by this computer's clock, {wall:%Y-%m-%d %H:%M} UTC, {len(over)} studies are "
                "over, but the clock was set, or is far from the last answer; they are deleted "
                "once it has run steadily for some minutes.",
            )
        return None

    def _newest(self, over: list[str]) -> float | None:
        """When the newest event was, of those studies that may be over."""
        hours = []
        for token in over:
            store = self._store_of(token)
            with suppress(OSError, ValueError):
                for name in (STUDY, *store.sessions(token)):
                    hours += _hours(store, token, name)
        return max(filter(None, hours), default=None)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clocks.now(), UTC)

    def keep_purging(self) -> Callable[[], None]:
        """Purges every minute, in the background; returns what stops it.

        What was being closed is finished at once. What has expired waits for one interval: a
        computer that has just been started may not know the time yet.
        """
        stopped = threading.Event()

        def purge(by_time: bool) -> None:
            try:
                self.purge(by_time=by_time)
                self.drop_unused()
                self._warned.discard("store")
            except Exception as error:  # a store that is away for a while
                self._warn("store", f"the store cannot be purged: {_said(error)}")

        def work() -> None:
            purge(by_time=False)
            while not stopped.wait(PURGE_S):
                purge(by_time=True)

        threading.Thread(target=work, daemon=True, name="listening-purge").start()
        return stopped.set

    def new_key(self, token: str) -> str:
        """A key that opens the teacher's page; the store keeps its hash."""
        key = secrets.token_urlsafe(18)
        self._note(Event(token, STUDY, "teacher", 0, {"sha256": _hash(key)}))
        return key

    def of_teacher(self, token: str, key: str) -> Room:
        """The room of a token, for who has a key; in quarantine too.

        Raises:
            WrongKey: with another key.
            NoStudy: as `room` does.
        """
        room = self.kept(token)
        if not self.is_teacher(token, key):
            raise WrongKey("this key does not open the page; use the whole link.")
        return room

    def is_teacher(self, token: str, key: str) -> bool:
        known = (stored.encode() for stored in self._charter(token).keys)
        return any(secrets.compare_digest(_hash(key).encode(), stored) for stored in known)

    def _make_room(self, store: Store, visitor: Visitor) -> None:
        """Raises ValueError if there is no room for one more study."""
        self._opened.check(visitor, {*self.store.studies(), *self._demo.studies()})
        studies = store.studies()
        if len(studies) < MOST_STUDIES:
            return
        unused = self._opened.oldest_first(studies) if self._opened.shared else []
        if not any(self._close_unused(token) for token in unused):
            raise ValueError(f"{MOST_STUDIES} studies are open here, which is the most.")

    def _close_unused(self, token: str) -> bool:
        """Closes a test, unless anybody took it; whether it did."""
        if is_taken(self._store_of(token), token):
            return False
        LOG.warning("study %s is closed, for nobody took it.", token)
        self.close(token)
        return True

    def _note(self, event: Event) -> None:
        """A further fact of a study, after all that it has of this kind."""
        store = self._store_of(event.study)
        index = next_index(self._events(event.study), event.kind)
        while not store.append(replace(event, index=index)):
            index += 1

    def _move(self, token: str, end: datetime) -> None:
        self._move_end(self._store_of(token), token, end)
        facts, room = self._charter(token), self.kept(token)
        room.expires = end
        room.closed = room.closed if facts.doubtful else ""

    def _move_end(self, store: Store, token: str, end: datetime) -> None:
        """Writes a new end, twice."""
        index = next_index(store.read(token, STUDY), "expires")
        for copy in range(COPIES):
            store.append(replace(ends(token, end), index=index + copy))

    def _agreed_before(self, token: str, end: datetime) -> bool:
        """Whether listeners have agreed to an end that comes before this one."""
        agreed = self._charter(token).end
        return bool(agreed and agreed < end and self._store_of(token).sessions(token))

    def _store_of(self, token: str) -> Store:
        return self._demo if token in self._demo.studies() else self.store

    def _same(self, store: Store, study: Study) -> str | None:
        """The token of the same study, if it is open, and for people; damaged ones do not count."""
        for token in store.studies():
            try:
                facts = self._charter(token)
                same = (facts.opened or {}).get("sha256") == study.digest
                ended = facts.closed or facts.doubtful or not facts.end or facts.end <= self._now()
                if same and not ended and not self._simulated(token):
                    return token
            except (OSError, ValueError, LookupError) as error:
                LOG.warning("study %s is passed by: %s", token, error)
        return None

    def _simulated(self, token: str) -> bool:
        """Whether any of its listeners is no person."""
        return any(session.simulated for session in self.room(token).sessions().values())

    def _charter(self, token: str) -> Charter:
        facts = charter(self._events(token))
        # an end that came later may be among what is missing
        return replace(facts, doubtful=True) if self._store_of(token).trouble else facts

    def _events(self, token: str) -> list[Event]:
        """The study's own; none for what is no token."""
        return self._store_of(token).read(token, STUDY) if NAME.fullmatch(token) else []

    def _forget(self, token: str) -> None:
        with self._lock:
            self._open.pop(token, None)
            self._closed.add(token)

    def _warn(self, about: str, words: str) -> None:
        """Logs a warning once, not every minute."""
        if about not in self._warned:
            self._warned.add(about)
            LOG.warning("%s", words)


def _said(error: Exception) -> str:
    """An error in words; those of others may hold what was to be stored."""
    return str(error) if isinstance(error, (OSError, ValueError, LookupError)) else "a defect"


def _hours(store: Store, study: str, session: str) -> list[float | None]:
    """When the events of a stream were; nothing where it cannot be read."""
    with suppress(OSError, ValueError):
        return [_hour(event) for event in store.read(study, session)]
    return []


def _hour(event: Event) -> float | None:
    """When an event was, in seconds since 1970, to the hour."""
    with suppress(KeyError, TypeError, ValueError):
        return datetime.strptime(event.data["hour"], HOUR).replace(tzinfo=UTC).timestamp()
    return None


def _from_now(hours: Any) -> datetime:
    if type(hours) not in (int, float) or not 0 < hours <= LONGEST_H:
        raise ValueError(f"{hours} hours must be above 0 and at most {LONGEST_H}.")
    return datetime.now(UTC) + timedelta(hours=hours)


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
