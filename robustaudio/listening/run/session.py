"""One listener's way through a study: a value that is replayed from the events in the store.

Nothing is kept but the events. What comes next follows from them, so that a reload, another tab
and a server that was killed all stand at the same question. The listener's browser holds one
secret code, with which it comes back and may delete everything; the store knows only its hash.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from robustaudio.listening.design.study import Study
from robustaudio.listening.design.trial import Response, Trial
from robustaudio.listening.run import stored
from robustaudio.listening.run.headphones import Screening
from robustaudio.listening.run.store import Event
from robustaudio.listening.run.stored import Checks, Start

SCHEMA_VERSION = 2
Step = Literal["sound", "screening", "level", "trial", "done"]
NO_SESSION = "there is no such session; it may have been deleted."
NOTHING_CHECKED = Checks()
CODE = re.compile(r"[A-Z2-7]{16}")  # without its dashes


@dataclass(frozen=True)
class Session:
    """A study, and what one listener's events say: `Session(study).after(events)`."""

    study: Study
    start: Start | None = None  # None if it cannot be read
    checks: Checks = NOTHING_CHECKED
    responses: tuple[Response, ...] = ()  # by the number of their trial, which may leave some out
    ended: bool = False
    answers: int = 0  # as counted at the end
    unread: int = 0  # events that say nothing sensible

    def after(self, events: Sequence[Event]) -> "Session":
        """The session after further events; each that says nothing sensible is counted."""
        start, checks, ended = self.start, self.checks, self.ended
        answers, unread = self.answers, self.unread
        responses = {response.trial.number: response for response in self.responses}
        procedure = self.study.procedure
        for event in events:
            try:
                match event.kind:
                    case "start":
                        start = Start.read(event.data)
                    case "sound" | "level" | "unscreened":
                        checks = checks.after(event.data)
                    case "screening":
                        checks = checks.after_attempt(event)
                    case "trial":
                        responses[event.index] = stored.response(event, procedure)
                    case "end":
                        ended, answers = True, stored.answer_count(event.data)
                    case _:
                        unread += 1
            except (ValueError, TypeError, LookupError, AttributeError):
                unread += 1
        ordered = tuple(responses[number] for number in sorted(responses))
        return Session(self.study, start, checks, ordered, ended, answers, unread)

    @classmethod
    def replay(cls, study: Study, events: Sequence[Event]) -> "Session":
        """The session as its events left it, for a listener who goes on.

        Raises:
            LookupError: if it was never begun, or has been deleted.
            ValueError: if its beginning is damaged, so that nobody can say what comes next.
        """
        if not events:
            raise LookupError(NO_SESSION)
        session = cls(study).after(events)
        if session.start is None:
            raise ValueError(f"what is stored of this session is damaged: {_no_beginning(events)}")
        return session

    @property
    def damaged(self) -> int:
        """Events that cannot be read, or must have been there because later ones are."""
        missing, answers = int(self.start is None), self.answers
        if self.responses:
            missing += (self.checks.sample_rate is None) + (self.checks.gain_db is None)
            answers = max(answers, self.responses[-1].trial.number + 1)
        return max(self.unread, missing + answers - len(self.responses))

    @property
    def seed(self) -> int | None:
        """Seed of the trials; None if it cannot be read."""
        return self.start.seed if self.start else None

    @property
    def check_seed(self) -> int:
        """Seed of beeps and screening."""
        return self.start.check_seed if self.start else 0

    @property
    def simulated(self) -> bool:
        """Whether no person answered."""
        return bool(self.start and self.start.simulated)

    @property
    def step(self) -> Step:
        """What the listener has to do next; "trial" until the procedure says otherwise."""
        if self.checks.sample_rate is None:
            return "sound"
        if self.study.screening != "none" and not self.checks.screened:
            return "screening"
        return "level" if self.checks.gain_db is None else "trial"

    @property
    def screening(self) -> Screening:
        """The questions of the next attempt: other ones every time."""
        return Screening(self.study.screening, self.check_seed + self.checks.attempts)

    @property
    def asked(self) -> tuple[Response, ...]:
        """The answers before the first one that is missing: that trial is asked again."""
        return tuple(r for place, r in enumerate(self.responses) if r.trial.number == place)

    def trial(self) -> Trial | None:
        """The next question; None when all are answered."""
        assert self.start is not None  # `replay` has refused a session without
        return self.study.procedure.next(self.asked, self.start.seed)


def _no_beginning(events: Sequence[Event]) -> str:
    """Why nobody can say what a listener was to be asked."""
    try:
        for event in events:
            if event.kind == "start":
                Start.read(event.data)
    except ValueError as error:
        return str(error)
    return "its beginning cannot be read."


def new_code() -> str:
    """80 random bits, as four groups of letters and digits that can be read out."""
    return _in_groups(base64.b32encode(secrets.token_bytes(10)).decode("ascii"))


def _in_groups(letters: str) -> str:
    return "-".join(letters[n : n + 4] for n in range(0, 16, 4))


def session_of(code: str) -> str:
    """The session's name in the store, from which the code cannot be found.

    A code may be typed in small letters, and with other dashes and spaces or none.

    Raises:
        LookupError: for anything that is no code.
    """
    letters = "".join(filter(str.isalnum, code)).upper()
    if not CODE.fullmatch(letters):
        raise LookupError("that is no code of a session; one looks like ABCD-EFGH-IJKL-MNOP.")
    return hashlib.sha256(_in_groups(letters).encode("ascii")).hexdigest()[:20]


def hour() -> str:
    """UTC to the hour: enough to date a session, too coarse to find a person."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%HZ")
