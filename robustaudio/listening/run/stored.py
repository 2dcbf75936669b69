"""What is stored of one listener, event by event: all that can be read, and a count of the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, get_args

from robustaudio.listening.design.paradigm import Choice
from robustaudio.listening.design.trial import Kind, Procedure, Response, from_record
from robustaudio.listening.run.store import Event
from robustaudio.perception.levels import MAX_LEVEL_DB

MOST_TRIALS = 100_000  # of a session: an index above is none
# headphones and earphones: with a wire, since "wireless" is offered beside them (schema 2)
DEVICES = ("headphones", "earphones", "wireless", "loudspeakers", "unknown")


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


CHECKS: dict[str, Callable[[Any], bool]] = {  # what each fact of the checks may be
    "sample_rate": _is_number,
    "device": DEVICES.__contains__,
    "gain_db": _is_number,
    "score": _is_whole,
    "passed": lambda value: type(value) is bool,
    "unscreened": lambda value: value is True,
}


@dataclass(frozen=True)
class Stored:
    """A listener's events, read; `damaged` counts lines that cannot be, or are missing."""

    begun: dict[str, Any] | None
    checks: dict[str, Any]
    responses: tuple[Response, ...]  # by the number of their trial, which may leave some out
    ended: bool
    damaged: int

    @classmethod
    def of(cls, procedure: Procedure, events: Sequence[Event]) -> "Stored":
        """What a listener's events say; each that says nothing sensible is damaged."""
        begun, ended, damaged = None, False, 0
        checks: dict[str, Any] = {"attempts": 0}
        responses: dict[int, Response] = {}
        answers = 0  # as counted at the end
        for event in events:
            try:
                match event.kind:
                    case "start":
                        begun = begun_with(event.data)
                    case "sound" | "level" | "unscreened":
                        checks |= _checks(event.data)
                    case "screening":
                        attempts = max(checks["attempts"], _index(event) + 1)
                        checks |= _checks(event.data) | {"attempts": attempts}
                    case "trial":
                        responses[event.index] = _response(event, procedure)
                    case "end":
                        ended, answers = True, _answers(event.data)
                    case _:
                        damaged += 1
            except (ValueError, TypeError, LookupError, AttributeError):
                damaged += 1
        whole = tuple(responses[number] for number in sorted(responses))
        missing = _missing(begun, checks, whole, answers)
        return cls(begun, checks, whole, ended, max(damaged, missing))


def begun_with(data: dict[str, Any]) -> dict[str, Any]:
    """The facts of a consent.

    Raises:
        ValueError: without seeds: then nobody can say what was asked.
    """
    seeds = data.get("seed"), data.get("check_seed", data.get("seed"))
    if any(type(seed) is not int for seed in seeds):
        raise ValueError(f"seed {seeds[0]!r} must be a whole number.")
    return data


def _checks(data: dict[str, Any]) -> dict[str, Any]:
    """The known facts of a check.

    Raises:
        ValueError: for a value that none of them has.
    """
    known = {key: value for key, value in data.items() if key in CHECKS}
    if not known or not all(CHECKS[key](value) for key, value in known.items()):
        raise ValueError("a check must say what was found.")
    return known


def _index(event: Event) -> int:
    if not 0 <= event.index < MOST_TRIALS:
        raise ValueError(f"index {event.index} must be from 0 to {MOST_TRIALS - 1}.")
    return event.index


def _answers(data: dict[str, Any]) -> int:
    """How many answers there were at the end; 0 where older versions did not say.

    Raises:
        ValueError: for an impossible number.
    """
    answers = data.get("answers", 0)
    if not _is_whole(answers) or answers > MOST_TRIALS:
        raise ValueError(f"answers {answers!r} must be a whole number.")
    return answers


def _response(event: Event, procedure: Procedure) -> Response:
    """An answer to a question that this study may ask.

    Raises:
        ValueError: for anything else.
    """
    response = from_record(event.data, procedure)
    trial = response.trial
    counts = response.plays, response.switches
    levels = [level for level in trial.intervals if level is not None]
    choices = trial.paradigm.choices if isinstance(trial.paradigm, Choice) else 0
    right = trial.right
    sensible = (
        type(trial.number) is int
        and trial.number == _index(event)
        and trial.kind in get_args(Kind)
        and all(_is_number(level) and abs(level) <= MAX_LEVEL_DB for level in levels)
        and (type(right) is int and 0 <= right < choices if choices else right is None)
        and _is_number(response.response_time_s)
        and all(map(_is_whole, counts))
        and isinstance(response.hour, str)
    )
    if not sensible:
        raise ValueError(f"trial {trial.number} is none of this study.")
    return response


def _missing(
    begun: object, checks: dict[str, Any], responses: Sequence[Response], answers: int
) -> int:
    """Events that must have been there, because later ones are."""
    gone = int(begun is None)
    if responses:
        gone += sum(key not in checks for key in ("sample_rate", "gain_db"))
        answers = max(answers, responses[-1].trial.number + 1)
    return gone + answers - len(responses)
