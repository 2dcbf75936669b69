"""What a listener is asked and what came back: the records that the listening tests share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

from robustaudio.listening.design.options import check
from robustaudio.listening.design.paradigm import Answer, Intervals, Paradigm
from robustaudio.options import option

Kind = Literal["practice", "catch", "test"]  # practice is never counted, a catch is easy to hear


@dataclass(frozen=True, order=True)
class Condition:
    """What is judged: a clip under one family of perturbations, both by their names."""

    clip: str
    family: str

    def __str__(self) -> str:
        """As it is shown and exported; two conditions may look alike, so nothing parses it."""
        return f"{self.clip} · {self.family}"


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
    condition: Condition
    intervals: Intervals
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
    answer: Answer
    response_time_s: float
    plays: int
    switches: int
    hour: str

    def __post_init__(self) -> None:
        self.trial.paradigm.check(self.answer, self.trial.intervals)

    @property
    def correct(self) -> bool | None:
        """None where grades are asked."""
        return None if self.trial.right is None else self.answer == self.trial.right


@dataclass(frozen=True)
class Procedure(ABC):
    """The options of a listening test, with one pure verb.

    A session is (procedure, seed, responses): the same three give the same next trial, on any
    machine, so that resuming is asking again. No state is kept anywhere else.

    `kind` is its name in a study file, `label` what the app offers it as (None: in study files
    only), `length` the option that decides how long it is (None: none does), `paradigms` what its
    options may make it ask by.

    Raises:
        ValueError: for options that make no test.
    """

    kind: ClassVar[str]
    label: ClassVar[str | None] = None
    length: ClassVar[str | None] = None
    paradigms: ClassVar[tuple[Any, ...]]

    conditions: tuple[Condition, ...]
    practice: int = option(4, "trials before the test, which never count", least=0)

    def __post_init__(self) -> None:
        if not self.conditions or len(set(self.conditions)) < len(self.conditions):
            shown = [*map(str, self.conditions)]
            raise ValueError(f"conditions {shown} must be one or more, each named once.")
        check(self)

    @property
    def paradigm(self) -> Paradigm:
        return self.paradigms[0]

    @property
    @abstractmethod
    def stimulus_levels_db(self) -> tuple[float, ...]:
        """Every level that a trial may play, ascending: what has to be rendered per condition."""

    @property
    @abstractmethod
    def expected_trials(self) -> int:
        """How many trials a session has; about how many, where the answers decide it."""

    @abstractmethod
    def next(self, responses: Sequence[Response], seed: int) -> Trial | None:
        """The trial after those answered; None at the end."""


def to_record(response: Response) -> dict[str, Any]:
    """What a store writes: plain JSON types, and `from_record` reads it."""
    record = asdict(response)
    record["trial"]["paradigm"] = response.trial.paradigm.name
    return record


def from_record(record: Mapping[str, Any], procedure: Procedure) -> Response:
    """The inverse of `to_record`, of what JSON made of it too, for a trial of the procedure.

    Stores of earlier versions hold a condition as the text that it is shown as.

    Raises:
        ValueError: if the record is not one of a response to this procedure.
    """
    try:
        trial, answer = dict(record["trial"]), record["answer"]
        trial["paradigm"] = _named(trial["paradigm"], procedure)
        trial["condition"] = _condition(trial["condition"], procedure)
        trial["intervals"] = tuple(trial["intervals"])
        answer = tuple(answer) if isinstance(answer, list) else answer
        return Response(**{**record, "trial": Trial(**trial), "answer": answer})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the record of a response: {error!r}.") from error


def _named(name: object, procedure: Procedure) -> Paradigm:
    if name != procedure.paradigm.name:
        raise ValueError(f"paradigm {name!r} must be the study's, {procedure.paradigm.name}.")
    return procedure.paradigm


def _condition(written: Any, procedure: Procedure) -> Condition:
    condition = written if isinstance(written, str) else Condition(**written)
    for candidate in procedure.conditions:
        if condition in (candidate, str(candidate)):
            return candidate
    raise ValueError(f"condition {str(condition)!r} is none of the study's.")


@dataclass(frozen=True)
class Row:
    """A tidy row: one per trial, and of ratings one per item graded (`answer` is its grade).

    The analysis reads the positional fields only.
    """

    listener: str
    trial: int
    kind: Kind
    paradigm: Paradigm
    condition: Condition
    level_db: float | None
    interval: int | None = field(default=None, kw_only=True)
    right: int | None = field(default=None, kw_only=True)
    answer: float
    correct: bool | None
    response_time_s: float | None = field(default=None, kw_only=True)
    plays: int | None = field(default=None, kw_only=True)
    switches: int | None = field(default=None, kw_only=True)
    hour: str | None = field(default=None, kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """The columns of an export, paradigm and condition by their names."""
        names = {"paradigm": self.paradigm.name, "condition": str(self.condition)}
        return vars(self) | names


# that a row needs to be analysed
COLUMNS = tuple(column.name for column in fields(Row) if not column.kw_only)


def to_rows(response: Response, listener: str) -> list[Row]:
    """The rows of one answer."""
    trial, answer = response.trial, response.answer
    about = listener, trial.number, trial.kind, trial.paradigm, trial.condition
    how: dict[str, Any] = {
        name: getattr(response, name) for name in ("response_time_s", "plays", "switches", "hour")
    }
    if not isinstance(answer, tuple):
        return [Row(*about, trial.level_db, answer, response.correct, right=trial.right, **how)]
    return [
        Row(*about, level_db, grade, None, interval=place, **how)
        for place, (level_db, grade) in enumerate(zip(trial.intervals, answer, strict=True))
    ]


def from_row(record: Mapping[str, Any], procedure: Procedure) -> Row:
    """The inverse of `Row.to_json`, of an export's row: what the analysis reads of it.

    The condition is found by `clip` and `family` where these are columns and agree with it; an
    earlier version's may be wrong, and then it is found by the text alone.

    Raises:
        ValueError: for a row that lacks a column, or is not of this procedure.
    """
    if missing := [name for name in COLUMNS if name not in record]:
        raise ValueError(f"a row lacks {', '.join(missing)}; it has {', '.join(record)}.")
    values = {name: record[name] for name in COLUMNS}
    values["paradigm"] = _named(values["paradigm"], procedure)
    parts = Condition(record.get("clip", ""), record.get("family", ""))
    agree = parts in procedure.conditions and str(parts) == values["condition"]
    values["condition"] = parts if agree else _condition(values["condition"], procedure)
    return Row(**values)
