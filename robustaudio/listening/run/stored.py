"""What a listener's events say, as values: each is checked as it is read from the store."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any, get_args

from robustaudio.columns import is_number
from robustaudio.listening.design.paradigm import Choice
from robustaudio.listening.design.trial import Kind, Procedure, Response, from_record
from robustaudio.listening.run.store import Event
from robustaudio.perception.levels import MAX_LEVEL_DB

MOST_TRIALS = 100_000  # of a session: an index above is none
# headphones and earphones: with a wire, since "wireless" is offered beside them (schema 2)
DEVICES = ("headphones", "earphones", "wireless", "loudspeakers", "unknown")


@dataclass(frozen=True)
class Start:
    """The consent with which a session begins; None for what older versions did not store."""

    seed: int  # of the trials and their right answers
    check_seed: int  # of beeps and screening: what is heard there tells nothing of the answers
    schema_version: Any = None
    app_version: Any = None
    consent_version: Any = None
    simulated: Any = None

    @classmethod
    def read(cls, data: dict[str, Any]) -> "Start":
        """The facts of a consent.

        Raises:
            ValueError: without seeds: then nobody can say what was asked.
        """
        known: dict[str, Any] = {field.name: data.get(field.name) for field in fields(cls)}
        known |= {"check_seed": data.get("check_seed", data.get("seed"))}  # consent 1 had one seed
        start = cls(**known)
        if type(start.seed) is not int or type(start.check_seed) is not int:
            raise ValueError(f"seed {start.seed!r} must be a whole number.")
        return start


@dataclass(frozen=True)
class Checks:
    """What was checked before the trials; None for what was not yet, or not asked for."""

    sample_rate: float | None = None  # Hz, of the listener's sound card
    device: str | None = None
    gain_db: float | None = None  # chosen by the listener
    attempts: int = 0  # at the headphone test
    score: int | None = None  # of the last one
    passed: bool | None = None
    unscreened: bool | None = None  # True for who went on without having passed

    def after(self, data: dict[str, Any]) -> "Checks":
        """The checks with the facts of one more; keys that are none of them are left out.

        Raises:
            ValueError: for a value that none of them has, or no known fact.
        """
        known = {name: value for name, value in data.items() if name in ALLOWED}
        if not known or not all(ALLOWED[name](value) for name, value in known.items()):
            raise ValueError("a check must say what was found.")
        return replace(self, **known)

    def after_attempt(self, event: Event) -> "Checks":
        """The checks with the result of one attempt at the headphone test."""
        attempts = max(self.attempts, index(event) + 1)
        return replace(self.after(event.data), attempts=attempts)

    @property
    def screened(self) -> bool:
        """Whether the headphone test was passed, or left with a flag."""
        return bool(self.passed or self.unscreened)


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_finite(value: Any) -> bool:
    return is_number(value) and -inf < value < inf


ALLOWED: dict[str, Callable[[Any], bool]] = {  # what each fact of the checks may be
    "sample_rate": _is_finite,
    "device": DEVICES.__contains__,
    "gain_db": _is_finite,
    "score": _is_whole,
    "passed": lambda value: type(value) is bool,
    "unscreened": lambda value: value is True,
}


def index(event: Event) -> int:
    """The index of an event.

    Raises:
        ValueError: for one that no session reaches.
    """
    if not 0 <= event.index < MOST_TRIALS:
        raise ValueError(f"index {event.index} must be from 0 to {MOST_TRIALS - 1}.")
    return event.index


def answer_count(data: dict[str, Any]) -> int:
    """How many answers there were at the end; 0 where older versions did not say.

    Raises:
        ValueError: for an impossible number.
    """
    answers = data.get("answers", 0)
    if not _is_whole(answers) or answers > MOST_TRIALS:
        raise ValueError(f"answers {answers!r} must be a whole number.")
    return answers


def response(event: Event, procedure: Procedure) -> Response:
    """An answer to a question that this study may ask.

    Raises:
        ValueError: for anything else.
    """
    read = from_record(event.data, procedure)
    trial = read.trial
    levels = [level for level in trial.intervals if level is not None]
    choices = trial.paradigm.choices if isinstance(trial.paradigm, Choice) else 0
    right = trial.right
    sensible = (
        type(trial.number) is int
        and trial.number == index(event)
        and trial.kind in get_args(Kind)
        and all(_is_finite(level) and abs(level) <= MAX_LEVEL_DB for level in levels)
        and (type(right) is int and 0 <= right < choices if choices else right is None)
        and _is_finite(read.response_time_s)
        and _is_whole(read.plays)
        and _is_whole(read.switches)
        and isinstance(read.hour, str)
    )
    if not sensible:
        raise ValueError(f"trial {trial.number} is none of this study.")
    return read
