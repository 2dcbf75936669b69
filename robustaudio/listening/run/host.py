"""Open studies: listeners come with a token, a teacher with a key, and each ends on time."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from robustaudio.listening.design.study import LONGEST_H, Study
from robustaudio.listening.design.study_file import recorded, study_in
from robustaudio.listening.run.admission import is_taken
from robustaudio.listening.run.charter import COPIES, NEVER, Charter, Charters
from robustaudio.listening.run.clocks import Clocks
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.openings import Openings
from robustaudio.listening.run.purge import KEPT, NO_END, Purge, Warnings, in_words
from robustaudio.listening.run.session import hour
from robustaudio.listening.run.store import NAME, STUDY, Event, Store
from robustaudio.serving.background import every
from robustaudio.serving.limits import NOBODY, PRIVATE, Limits, Visitor

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


class Host:
    """All open studies of a store; a server that starts again finds them there.

    Demonstrations live in memory beside it, and end with the server.
    """

    def __init__(
        self, store: Store, limits: Limits = PRIVATE, clocks: Clocks | None = None
    ) -> None:
        self.store, self.limits, self.clocks = store, limits, clocks or Clocks()
        self.charters, self._warnings = Charters(store), Warnings()
        self._open: dict[str, tuple[OpenStudy, float]] = {}  # with the time of the last look
        self._closed: set[str] = set()  # as far as this server saw it
        self._openings, self._opening = Openings(limits), threading.Lock()
        self._purge = Purge(self.charters, self.clocks, self.close, self._warnings)

    def open(
        self,
        study: Study,
        hours: float | None = None,
        *,
        demo: bool = False,
        resume: bool = False,
        visitor: Visitor = NOBODY,
    ) -> tuple[OpenStudy, str]:
        """Open a study; with `resume`, go on with the same one. Its teacher's key comes with it.

        Only who owns the store may resume: the key opens what others have answered. Its end moves
        by `hours`, unless that is later than listeners have agreed to. Where listeners were
        simulated, no people join them.

        Raises:
            ValueError: for impossible hours, for a study that could not be read again, or when too
                many studies are open, of the visitor or of all.
        """
        store = self.charters.demo if demo else self.store
        end = _from_now(study.expires_h if hours is None else hours)
        token = self._same(store, study) if resume else None
        if token is None:
            token = "".join(secrets.choice(TOKEN_LETTERS) for _ in range(TOKEN_LENGTH))
            data = {"study": _readable(study), "sha256": study.digest, "hour": hour()}
            with self._opening:
                self._make_space(store, visitor)
                self._openings.note(token, visitor)
                self.charters.move_end(store, token, end)  # first: nothing is open without an end
            store.append(Event(token, STUDY, "open", 0, data))
        elif hours is not None and not self.charters.agreed_before(token, end):
            self._move(token, end)
        return self.find(token), self.charters.new_key(token)

    def find(self, token: str) -> OpenStudy:
        """The study of a token; the store is asked every few seconds whether it still exists.

        Raises:
            Closed: if it has expired, or was closed while this server knew it.
            NoStudy: for any other token.
            Quarantined: if it cannot be read when it ends.
            ValueError: if what is stored of the study is damaged.
        """
        open_study = self.find_for_owner(token)
        if open_study.closed:
            raise Quarantined(open_study.closed)
        return open_study

    def find_for_owner(self, token: str) -> OpenStudy:
        """The study for its owner, who may see it in quarantine too (`OpenStudy.closed`).

        Raises:
            Closed, NoStudy, ValueError: as `find` does.
        """
        now = time.monotonic()
        known, looked = self._open.get(token, (None, now))
        if known is None or now - looked > FRESH_S:
            charter = self._charter(token)
            known, _ = self._open.setdefault(token, (known or self._read(token), now))
            known.expires, known.damaged = charter.end or NEVER, charter.damaged
            known.closed = "" if charter.certain else f"{NO_END}; {KEPT}."
            self._open[token] = known, now
        if not known.closed and known.expires <= datetime.fromtimestamp(self.clocks.now(), UTC):
            raise Closed(OVER)  # deleted by the next purge, which knows whether the clock is right
        return known

    def find_for_teacher(self, token: str, key: str) -> OpenStudy:
        """The study for who has a key; in quarantine too.

        Raises:
            WrongKey: with another key.
            Closed, NoStudy, ValueError: as `find` does.
        """
        open_study = self.find_for_owner(token)
        if not self.charters.is_key(token, key):
            raise WrongKey("this key does not open the page; use the whole link.")
        return open_study

    def expire(self, token: str, hours: Any) -> None:
        """Move the end of a study to so many hours from now.

        Raises:
            ValueError: for hours that are not above 0, or more than a year, or lead beyond the end
                that listeners have agreed to.
        """
        open_study, end = self.find_for_owner(token), _from_now(hours)
        if open_study.closed and open_study.store.sessions(token):
            raise Quarantined(
                "to which end listeners have agreed can no longer be read; take the answers along, "
                "and close the study."
            )
        if self.charters.agreed_before(token, end):
            raise ValueError(
                f"listeners have agreed that their answers are deleted at "
                f"{open_study.expires:%Y-%m-%d %H:%M} UTC; the end may come nearer, but not go "
                "beyond."
            )
        self._move(token, end)

    def close(self, token: str) -> None:
        """End a study now, and delete its answers: what a kill interrupts, the next purge does.

        That it is closed is on the disk before the first answer is deleted.
        """
        self._forget(token)
        store = self.charters.store_of(token)
        if NAME.fullmatch(token):
            try:
                for _ in range(0 if self.charters.charter(token).closed else COPIES):
                    self.charters.note(Event(token, STUDY, "closed", 0, {"hour": hour()}))
            except OSError as error:  # a disk that is full: to delete makes room
                words = f"study {token} is deleted without a note of it: {in_words(error)}"
                self._warnings.give(f"note of {token}", words)
        store.delete(token)
        self.charters.forget(token)

    def purge(self, *, by_time: bool = True) -> tuple[list[str], list[str]]:
        """Delete what is over; returns tokens of what was deleted, and of what could not be."""
        return self._purge.run(by_time=by_time)

    def drop_unused(self) -> None:
        """Forget listeners who passed no check, and close visitors' tests that nobody took."""
        for open_study, _ in [*self._open.values()]:
            with suppress(OSError):  # one study's trouble is not the others'
                open_study.admission.drop_unused()
        if self._openings.shared:
            there = {*self.store.studies(), *self.charters.demo.studies()}
            for token in there.intersection(self._openings.old()):
                self._close_unused(token)

    def keep_purging(self) -> Callable[[], None]:
        """Purge every minute, in the background; returns what stops it.

        What was being closed is finished at once. What has expired waits for one interval: a
        computer that has just been started may not know the time yet.
        """
        rounds = count()

        def purge() -> None:
            self.purge(by_time=next(rounds) > 0)
            self.drop_unused()
            self._warnings.end("store")

        def failed(error: Exception) -> None:  # a store that is away for a while
            self._warnings.give("store", f"the store cannot be purged: {in_words(error)}")

        return every(PURGE_S, purge, failed, "listening-purge")

    def _charter(self, token: str) -> Charter:
        """The charter of a study that is open; errors as of `find` for any other."""
        charter = self.charters.charter(token)
        if charter.closed:
            self._forget(token)
            raise Closed(CLOSED)
        if charter.opened:
            return charter
        known = self._open.pop(token, None)
        if known and not charter.damaged:  # another server closed it
            self._closed.add(token)
        if token in self._closed:
            raise Closed(CLOSED)
        listeners = NAME.fullmatch(token) and self.charters.store_of(token).sessions(token)
        if charter.damaged or listeners:
            raise ValueError(f"what is stored of study {token} is damaged: {KEPT}.")
        raise NoStudy(NO_STUDY)

    def _read(self, token: str) -> OpenStudy:
        """The study that was opened; a ValueError if it can no longer be read."""
        store = self.charters.store_of(token)
        (first, *_) = (event for event in store.read(token, STUDY) if event.kind == "open")
        try:
            study = study_in(first.data["study"])
        except (LookupError, ValueError) as error:
            raise ValueError(f"what is stored of study {token} is damaged: {error}") from error
        return OpenStudy(token, study, store, NEVER, self.limits.unused_hours)

    def _move(self, token: str, end: datetime) -> None:
        self.charters.move_end(self.charters.store_of(token), token, end)
        charter, open_study = self.charters.charter(token), self.find_for_owner(token)
        open_study.expires = end
        open_study.closed = open_study.closed if charter.doubtful else ""

    def _make_space(self, store: Store, visitor: Visitor) -> None:
        """Raises ValueError if there is no space for one more study."""
        self._openings.check(visitor, {*self.store.studies(), *self.charters.demo.studies()})
        studies = store.studies()
        if len(studies) < MOST_STUDIES:
            return
        unused = self._openings.oldest_first(studies) if self._openings.shared else []
        if not any(self._close_unused(token) for token in unused):
            raise ValueError(f"{MOST_STUDIES} studies are open here, which is the most.")

    def _close_unused(self, token: str) -> bool:
        """Close a test, unless anybody took it; whether it did."""
        if is_taken(self.charters.store_of(token), token):
            return False
        LOG.warning("study %s is closed, for nobody took it.", token)
        self.close(token)
        return True

    def _same(self, store: Store, study: Study) -> str | None:
        """The token of the same study, if it is open, and for people; damaged ones do not count."""
        now = datetime.fromtimestamp(self.clocks.now(), UTC)
        for token in store.studies():
            try:
                charter = self.charters.charter(token)
                same = charter.sha256 == study.digest and not charter.closed and charter.certain
                if same and (charter.end or NEVER) > now:
                    sessions = self.find(token).sessions().values()
                    if not any(session.simulated for session in sessions):
                        return token
            except (OSError, ValueError, LookupError) as error:
                LOG.warning("study %s is passed by: %s", token, error)
        return None

    def _forget(self, token: str) -> None:
        self._open.pop(token, None)
        self._closed.add(token)


def _from_now(hours: Any) -> datetime:
    if type(hours) not in (int, float) or not 0 < hours <= LONGEST_H:
        raise ValueError(f"{hours} hours must be above 0 and at most {LONGEST_H}.")
    return datetime.now(UTC) + timedelta(hours=hours)


def _readable(study: Study) -> dict[str, Any]:
    """The study's record, once it was read as `find` will read it; else a ValueError."""
    try:
        return recorded(study)
    except (TypeError, ValueError) as error:
        words = "the study could not be read again, and is not opened"
        raise ValueError(f"{words}: {error}") from error
