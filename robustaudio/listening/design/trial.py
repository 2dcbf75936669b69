"""What a listener is asked and what came back: the two records that the listening tests share."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

Kind = Literal["practice", "catch", "test"]  # practice is never counted, a catch is easy to hear
Paradigm = Literal["abx", "2afc", "3afc", "mushra", "impairment"]
CHOICES = {"abx": 2, "2afc": 2, "3afc": 3}  # answers that a forced choice offers
SCALES = {"mushra": (0.0, 100.0), "impairment": (1.0, 5.0)}  # ITU-R BS.1534 and BS.1116


@dataclass(frozen=True)
class Trial:
    """One question to one listener, with its key: none of it but `number` may reach the page.

    `intervals` says what each button plays: the level of the perturbation in dB, or None for the
    clean clip. ABX has A (clean), B (perturbed) and X; a forced choice has one interval per
    alternative; a rating has every item that is graded, the hidden reference among them, while
    the open reference is always the clean clip. `right` is the right answer counted from 0 (for
    ABX 0 says that X is A), None where grades are asked.
    """

    number: int  # from 0, in the order of the session, practice included
    kind: Kind
    paradigm: Paradigm
    condition: str  # a clip and a family of perturbations
    intervals: tuple[float | None, ...]
    right: int | None

    @property
    def level_db(self) -> float | None:
        """The level that is asked about; None where several are, on a page of ratings."""
        levels = {level for level in self.intervals if level is not None}
        return levels.pop() if len(levels) == 1 else None


@dataclass(frozen=True)
class Response:
    """The answer to a trial: a number from 0 for a forced choice, else a grade per interval.

    `hour` is UTC to the hour, like "2026-11-25T22Z": precise enough to date a session, too coarse
    to find a person.

    Raises:
        ValueError: for an answer that the trial does not offer.
    """

    trial: Trial
    answer: int | tuple[float, ...]
    response_time_s: float
    plays: int
    switches: int
    hour: str

    def __post_init__(self) -> None:
        trial, answer = self.trial, self.answer
        if trial.paradigm in CHOICES:
            last = CHOICES[trial.paradigm] - 1
            if type(answer) is not int or not 0 <= answer <= last:
                raise ValueError(f"answer {answer!r} must be a whole number from 0 to {last}.")
            return
        low, high = SCALES[trial.paradigm]
        count = len(trial.intervals)
        if not isinstance(answer, tuple) or len(answer) != count:
            raise ValueError(f"answer {answer!r} must be {count} grades, one per interval.")
        numbers = all(type(grade) in (int, float) for grade in answer)
        if not numbers or not all(low <= grade <= high for grade in answer):  # no NaN either
            raise ValueError(f"grades {answer} must lie between {low:g} and {high:g}.")

    @property
    def correct(self) -> bool | None:
        """None where grades are asked."""
        return None if self.trial.right is None else self.answer == self.trial.right


class Procedure(Protocol):
    """A frozen dataclass of options with one pure verb.

    A session is (procedure, seed, responses): the same three give the same next trial, on any
    machine, so that resuming is asking again. No state is kept anywhere else.
    """

    @property
    def conditions(self) -> tuple[str, ...]: ...

    @property
    def stimulus_levels_db(self) -> tuple[float, ...]:
        """Every level that a trial may play, ascending: what has to be rendered per condition."""
        ...

    @property
    def expected_trials(self) -> int:
        """How many trials a session has; about how many, where the answers decide it."""
        ...

    def next(self, responses: Sequence[Response], seed: int) -> Trial | None:
        """The trial after those answered; None at the end."""
        ...


def to_record(response: Response) -> dict[str, Any]:
    """What a store writes: plain JSON types, and `from_record` reads it."""
    return asdict(response)


def from_record(record: dict[str, Any]) -> Response:
    """The inverse of `to_record`, of what JSON made of it too.

    Raises:
        ValueError: if the record is not one of a response.
    """
    try:
        trial = {**record["trial"], "intervals": tuple(record["trial"]["intervals"])}
        answer = record["answer"]
        answer = tuple(answer) if isinstance(answer, list) else answer
        return Response(**{**record, "trial": Trial(**trial), "answer": answer})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the record of a response: {error!r}.") from error


def to_rows(response: Response) -> list[dict[str, Any]]:
    """Tidy rows, one per trial, and of ratings one per item graded (`answer` is its grade).

    Whoever exports adds the columns `listener` and what the session knows.
    """
    trial = response.trial
    common = {"trial": trial.number, "kind": trial.kind, "paradigm": trial.paradigm}
    common |= {"condition": trial.condition}
    how = {key: getattr(response, key) for key in ("response_time_s", "plays", "switches", "hour")}
    if not isinstance(response.answer, tuple):
        judged = {"level_db": trial.level_db, "interval": None, "right": trial.right}
        return [common | judged | {"answer": response.answer, "correct": response.correct} | how]
    graded = zip(trial.intervals, response.answer, strict=True)
    return [
        common
        | {"level_db": level, "interval": n, "right": None, "answer": grade, "correct": None}
        | how
        for n, (level, grade) in enumerate(graded)
    ]
