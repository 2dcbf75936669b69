"""The sessions of a study, replayed: a listener's stream is read again only when it has changed."""

from collections.abc import Hashable
from dataclasses import dataclass

from robustaudio.listening.design.study import Study
from robustaudio.listening.run.session import NO_SESSION, Session
from robustaudio.listening.run.store import DAMAGED, Store

REMEMBERED = 4_096  # sessions


@dataclass(frozen=True)
class Reading:
    """All that can be read of a study's listeners, and what cannot."""

    sessions: dict[str, Session]
    damaged: dict[str, int]  # lines that cannot be read or are missing, by the listener's name
    of_study: int  # such lines of the study itself
    strays: list[str]  # what is not read, for no listener is called so
    trouble: str = ""  # of the store as a whole

    @property
    def unreadable(self) -> int:
        """Lines in all; where the store itself is damaged, at least one."""
        return sum(self.damaged.values()) + self.of_study or int(bool(self.trouble))


class Replays:
    """Sessions by their names in the store, beside the stamps that their streams had."""

    def __init__(self, study: Study, store: Store, token: str) -> None:
        self.study, self.store, self.token = study, store, token
        self._known: dict[str, tuple[Hashable, Session]] = {}

    def session(self, name: str) -> Session:
        """Where a listener stands.

        Raises:
            LookupError: if nobody is called so.
            ValueError: if its beginning is damaged.
        """
        stamp = self.store.stamp(self.token, name)
        session = self._remembered(name, stamp)
        if session is None or session.start is None:
            events = self.store.read(self.token, name)
            if len(events) == 1 and events[0].kind not in ("start", DAMAGED):
                # it came in while all was deleted
                self.store.delete(self.token, name)
                raise LookupError(NO_SESSION)
            session = Session.replay(self.study, events)
            self._remember(name, stamp, session)
        return session

    def read(self, damaged_of_study: int) -> Reading:
        """All listeners, each as far as their events can be read."""
        sessions, damaged = {}, {}
        for name, stamp in self.store.stamps(self.token).items():
            session = self._remembered(name, stamp)
            try:
                if session is None:
                    session = Session(self.study).after(self.store.read(self.token, name))
                    self._remember(name, stamp, session)
            except (OSError, ValueError, LookupError):  # one listener's trouble is not the others'
                damaged[name] = 1
                continue
            sessions[name] = session
            if session.damaged:
                damaged[name] = session.damaged
        strays, trouble = self.store.strays(self.token), self.store.trouble
        return Reading(sessions, damaged, damaged_of_study, strays, trouble)

    def _remembered(self, name: str, stamp: Hashable) -> Session | None:
        """The session as it was replayed last, if nothing was stored of it since."""
        known, session = self._known.get(name, (None, None))
        return session if stamp is not None and known == stamp else None

    def _remember(self, name: str, stamp: Hashable, session: Session) -> None:
        if len(self._known) >= REMEMBERED:  # more than a study may have: most have been deleted
            self._known.clear()
        self._known[name] = stamp, session
