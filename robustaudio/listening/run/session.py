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
from typing import Any, Literal

from robustaudio import __version__
from robustaudio.listening.design.study import Study
from robustaudio.listening.design.trial import Response, Trial, to_record
from robustaudio.listening.run.headphones import PASSES_AT, Screening, beep_count
from robustaudio.listening.run.store import Event
from robustaudio.listening.run.stored import DEVICES, Stored, begun_with

SCHEMA_VERSION = 2
CONSENT_VERSION = 2  # of the words on the page; another number when they change
Step = Literal["sound", "screening", "level", "trial", "done"]
RATES_HZ, GAINS_DB = (3_000, 768_000), (-60.0, 0.0)
MOST_ATTEMPTS = 5  # of the screening
FACTS = ("schema_version", "app_version", "consent_version", "simulated")
NO_SESSION = "there is no such session; it may have been deleted."
CODE = re.compile(r"[A-Z2-7]{16}")  # without its dashes


@dataclass(frozen=True)
class Session:
    """A study, a seed, what was checked before the trials, and the answers so far.

    `damaged` counts what cannot be read of it, or is missing; every other answer is there.
    """

    study: Study
    seed: int | None  # of the trials and their right answers; None if it cannot be read
    check_seed: int  # of beeps and screening: what is heard there tells nothing of the answers
    checks: dict[str, Any]
    facts: dict[str, Any]  # versions of the schema, the app and the consent
    responses: tuple[Response, ...] = ()
    ended: bool = False
    damaged: int = 0

    @classmethod
    def saved(cls, study: Study, events: Sequence[Event]) -> "Session":
        """Whatever can be read of a listener's events; it may lack its seed."""
        stored = Stored.of(study.procedure, events)
        begun = stored.begun or {}
        facts = {key: begun.get(key) for key in FACTS}
        seed = begun.get("seed")
        check_seed = begun.get("check_seed", seed)  # sessions of consent 1 have one seed
        return cls(
            study, seed, check_seed or 0, stored.checks, facts, stored.responses, stored.ended,
            stored.damaged,
        )  # fmt: skip

    @classmethod
    def replay(cls, study: Study, events: Sequence[Event]) -> "Session":
        """The session as its events left it, for a listener who goes on.

        Raises:
            LookupError: if it was never begun, or has been deleted.
            ValueError: if its beginning is damaged, so that nobody can say what comes next.
        """
        if not events:
            raise LookupError(NO_SESSION)
        session = cls.saved(study, events)
        if session.seed is None:
            raise ValueError(f"what is stored of this session is damaged: {_no_beginning(events)}")
        return session

    @property
    def simulated(self) -> bool:
        """Whether no person answered."""
        return bool(self.facts.get("simulated"))

    @property
    def step(self) -> Step:
        """What the listener has to do next; "trial" until the procedure says otherwise."""
        if "sample_rate" not in self.checks:
            return "sound"
        if self.study.screening != "none" and not self.screened:
            return "screening"
        return "trial" if "gain_db" in self.checks else "level"

    @property
    def screened(self) -> bool:
        """Whether the headphone test was passed, or left with a flag."""
        return bool(self.checks.get("passed") or "unscreened" in self.checks)

    @property
    def screening(self) -> Screening:
        """The questions of the next attempt: other ones every time."""
        return Screening(self.study.screening, self.check_seed + self.checks["attempts"])

    @property
    def asked(self) -> tuple[Response, ...]:
        """The answers before the first one that is missing: that trial is asked again."""
        return tuple(r for place, r in enumerate(self.responses) if r.trial.number == place)

    def trial(self) -> Trial | None:
        """The next question; None when all are answered."""
        assert self.seed is not None  # `replay` has refused a session without
        return self.study.procedure.next(self.asked, self.seed)


def _no_beginning(events: Sequence[Event]) -> str:
    """Why nobody can say what a listener was to be asked."""
    try:
        for event in events:
            if event.kind == "start":
                begun_with(event.data)
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


# --- what a listener's browser sends, checked, as events ----------------------------------------


def start(study: str, session: str) -> Event:
    """Consent was given: the first thing that is stored."""
    facts = {
        "schema_version": SCHEMA_VERSION,
        "app_version": __version__,
        "consent_version": CONSENT_VERSION,
        "simulated": False,
        "seed": secrets.randbits(48),
        "check_seed": secrets.randbits(48),
        "hour": hour(),
    }
    return Event(study, session, "start", 0, facts)


def sound(study: str, session: str, told: dict[str, Any], current: Session) -> Event:
    """The listener counted the beeps; at which rate the browser plays, through what."""
    if told.get("beeps") != beep_count(current.check_seed):
        raise ValueError("that is not how many there were; play them again, a little louder.")
    device = told.get("device", "unknown")
    if device not in DEVICES:
        raise ValueError(f"device {device!r} must be one of {', '.join(DEVICES)}.")
    rate = _number(told, "sample_rate", *RATES_HZ)
    return Event(study, session, "sound", 0, {"sample_rate": rate, "device": device})


def level(study: str, session: str, told: dict[str, Any]) -> Event:
    """The level that the listener chose, relative to the files; it is locked from now on."""
    return Event(study, session, "level", 0, {"gain_db": _number(told, "gain_db", *GAINS_DB)})


def screening(study: str, session: str, told: dict[str, Any], current: Session) -> Event:
    """An attempt at the headphone test."""
    attempt = current.checks["attempts"]
    if attempt >= MOST_ATTEMPTS:
        raise ValueError(f"{MOST_ATTEMPTS} attempts are the most; go on without, please.")
    score = current.screening.score(list(told.get("answers") or []))
    facts = {"score": score, "passed": score >= PASSES_AT[current.screening.kind]}
    return Event(study, session, "screening", attempt, facts)


def unscreened(study: str, session: str) -> Event:
    """The listener goes on although the headphone test was not passed."""
    return Event(study, session, "unscreened", 0, {"unscreened": True})


def answer(study: str, session: str, told: dict[str, Any], trial: Trial) -> Event:
    """The answer to a trial.

    Raises:
        ValueError: for an answer that the trial does not offer, or counts that cannot be.
    """
    given: Any = told.get("answer")
    response = Response(
        trial,
        tuple(given) if isinstance(given, list) else given,
        round(_number(told, "response_time_s", 0, 86_400), 3),
        int(_number(told, "plays", 0, 100_000)),
        int(_number(told, "switches", 0, 100_000)),
        hour(),
    )
    return Event(study, session, "trial", trial.number, to_record(response))


def _number(told: dict[str, Any], name: str, low: float, high: float) -> float:
    value: Any = told.get(name)
    if type(value) not in (int, float) or not low <= value <= high:
        raise ValueError(f"{name} {value!r} must be a number from {low:g} to {high:g}.")
    return value
