"""What a listener is asked and what came back: the records that the listening tests share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from robustaudio.listening.design.paradigm import Answer, Intervals, Paradigm

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


class Length(NamedTuple):
    """The option that decides how long a test is, as a page asks for it."""

    option: str
    label: str
    help: str


class Procedure(Protocol):
    """A frozen dataclass of options with one pure verb.

    A session is (procedure, seed, responses): the same three give the same next trial, on any
    machine, so that resuming is asking again. No state is kept anywhere else.

    `kind` is its name in a study file, `label` what the app offers it as (None: in study files
    only), `paradigms` what its options may make it ask by.
    """

    kind: ClassVar[str]
    label: ClassVar[str | None]
    length: ClassVar[Length | None]
    paradigms: ClassVar[tuple[Paradigm, ...]]

    @property
    def paradigm(self) -> Paradigm: ...

    @property
    def conditions(self) -> tuple[Condition, ...]: ...

    @property
    def practice(self) -> int: ...

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
        row = {column.name: getattr(self, column.name) for column in fields(self)}
        return row | {"paradigm": self.paradigm.name, "condition": str(self.condition)}


# that a row needs to be analysed
COLUMNS = tuple(column.name for column in fields(Row) if not column.kw_only)


def to_rows(response: Response, listener: str) -> list[Row]:
    """The rows of one answer."""
    trial = response.trial
    about = listener, trial.number, trial.kind, trial.paradigm, trial.condition
    how: dict[str, Any] = {
        name: getattr(response, name) for name in ("response_time_s", "plays", "switches", "hour")
    }
    if not isinstance(response.answer, tuple):
        score = trial.level_db, response.answer, response.correct
        return [Row(*about, *score, right=trial.right, **how)]
    graded = zip(trial.intervals, response.answer, strict=True)
    return [
        Row(*about, level_db, grade, None, interval=place, **how)
        for place, (level_db, grade) in enumerate(graded)
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
