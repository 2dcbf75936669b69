"""What the rows of one paradigm say, condition by condition: of each listener, and of the group."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np

from robustaudio.listening.analysis.claims import Claim, claim_of, claim_of_group
from robustaudio.listening.analysis.d_prime import d_prime, log_linear
from robustaudio.listening.analysis.statistics import (
    ALPHA,
    Mean,
    Score,
    holm,
    mean_interval,
    p_value_of_mean,
    score,
    score_of_group,
)
from robustaudio.listening.analysis.thresholds import (
    Criteria,
    Threshold,
    criteria,
    faint_db,
    mean_threshold,
    threshold,
)
from robustaudio.listening.design.paradigm import (
    ComparedRating,
    GradedRating,
    Paradigm,
    Rating,
    ScoredChoice,
    TrackedChoice,
)
from robustaudio.listening.design.trial import Condition, Row
from robustaudio.listening.psychometric import Posterior, fit

CURVE_POINTS = 25
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


# --- results -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Result(ABC):
    """What is known of a condition, at one level where levels are fixed.

    `listeners` is by their names. A hidden reference has no level, nor has a threshold.
    """

    paradigm: Paradigm
    condition: Condition
    level_db: float | None = None

    @property
    @abstractmethod
    def count(self) -> int:
        """How many listeners."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...

    def _named(self) -> dict[str, Any]:
        condition = {"condition": str(self.condition), **asdict(self.condition)}
        return {"paradigm": self.paradigm.name, **condition}


@dataclass(frozen=True)
class Judged(Score):
    """A score with its d', its p adjusted for the number of results (Holm), and what it shows."""

    d_prime: float
    p_holm: float
    verdict: str
    statement: str


@dataclass(frozen=True, kw_only=True)
class ScoreResult(Result):
    paradigm: ScoredChoice
    listeners: Mapping[str, Judged]
    group: Judged

    @property
    def count(self) -> int:
        return len(self.listeners)

    def to_json(self) -> dict[str, Any]:
        listeners = {name: asdict(judged) for name, judged in self.listeners.items()}
        group = asdict(self.group) | {"listeners": self.count}
        level = {"level_db": self.level_db}
        return self._named() | level | {"listeners": listeners, "group": group}


@dataclass(frozen=True)
class Point:
    """How many of how many were right at a level."""

    level_db: float
    correct: int
    trials: int


@dataclass(frozen=True)
class CurvePoint:
    """The psychometric function at a level, and its 95 % interval; None where it has none."""

    level_db: float
    correct: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class ListenerFit:
    """The psychometric function of one listener; below `faint_db` hardly anything is heard."""

    trials: int
    thresholds: Criteria[Threshold]
    faint_db: float | None
    spread_db: float
    lapse_rate: float
    points: tuple[Point, ...]
    curve: tuple[CurvePoint, ...]

    def to_json(self) -> dict[str, Any]:
        return _with_lists(asdict(self))


@dataclass(frozen=True)
class GroupFit:
    """Means over listeners, in dB, and of their curves; the points pool the trials, to be drawn."""

    listeners: int
    thresholds: Criteria[Threshold | None]
    points: tuple[Point, ...]
    curve: tuple[CurvePoint, ...]

    def to_json(self) -> dict[str, Any]:
        return _with_lists(asdict(self))


def _with_lists(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as the lists that JSON has."""
    return {key: [*value] if isinstance(value, tuple) else value for key, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class ThresholdResult(Result):
    paradigm: TrackedChoice
    listeners: Mapping[str, ListenerFit]
    group: GroupFit

    @property
    def count(self) -> int:
        return len(self.listeners)

    @property
    def thresholds(self) -> Criteria[Threshold] | Criteria[Threshold | None]:
        """The listeners' means; of a single listener their own, which have intervals."""
        first, *others = self.listeners.values()
        return self.group.thresholds if others else first.thresholds

    def to_json(self) -> dict[str, Any]:
        listeners = {name: fitted.to_json() for name, fitted in self.listeners.items()}
        return self._named() | {"listeners": listeners, "group": self.group.to_json()}


@dataclass(frozen=True, kw_only=True)
class GradeResult(Result):
    """Mean grades: of each listener, and over listeners with its t interval."""

    paradigm: Rating
    listeners: Mapping[str, float]
    group: Mean

    @property
    def count(self) -> int:
        return self.group.count

    def to_json(self) -> dict[str, Any]:
        listeners = {name: {"mean": mean} for name, mean in self.listeners.items()}
        level = {"level_db": self.level_db}
        return self._named() | level | {"listeners": listeners, "group": asdict(self.group)}


@dataclass(frozen=True, kw_only=True)
class DifferenceResult(GradeResult):
    """Differences of grades from the hidden reference's (ITU-R BS.1116-3): 0 is no difference.

    `p` is that of the mean over listeners being below 0, None where it has none.
    """

    p: float | None
    p_holm: float | None

    def to_json(self) -> dict[str, Any]:
        record = super().to_json()
        record["group"]["p"] = self.p
        if self.p_holm is not None:
            record["group"]["p_holm"] = self.p_holm
        return record


# --- from rows -----------------------------------------------------------------------------------


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by what `key` gives of each, in the order they came."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def by_listener(rows: Iterable[Row]) -> dict[str, list[Row]]:
    return grouped(rows, lambda row: row.listener)


def tested(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.kind == "test"]


@singledispatch
def results(
    paradigm: Paradigm, rows: Sequence[Row], inaudible_below: float
) -> Sequence[ScoreResult | ThresholdResult | GradeResult]:
    """The results of a paradigm's rows; p is adjusted over all of them (Holm)."""
    raise NotImplementedError(f"no analysis for {type(paradigm).__name__}.")


@results.register
def _(paradigm: ScoredChoice, rows: Sequence[Row], inaudible_below: float) -> list[ScoreResult]:
    """Scores at each level: proportion correct, p, d', one-sided bounds, 95 % sure all together."""
    asked = grouped(tested(rows), lambda row: (row.condition, row.level_db))
    confidence = 1 - ALPHA / max(1, len(asked))
    guess = paradigm.guess_rate
    counts = [
        {
            name: (sum(map(_is_right, answers)), len(answers))
            for name, answers in by_listener(at).items()
        }
        for at in asked.values()
    ]
    scores = [
        {name: score(*count, guess, confidence) for name, count in of_level.items()}
        for of_level in counts
    ]
    groups = [score_of_group([*of_level.values()], guess, confidence) for of_level in counts]
    names = {name for of_level in scores for name in of_level}
    p_values = {
        name: holm({place: at[name].p for place, at in enumerate(scores) if name in at})
        for name in names
    }
    p_of_groups = holm({place: group.p for place, group in enumerate(groups)})

    def judged(score: Score, p_holm: float, claim: Claim) -> Judged:
        sensitivity = d_prime(log_linear(score.correct, score.trials), paradigm)
        return Judged(**vars(score), d_prime=sensitivity, p_holm=p_holm, **vars(claim))

    made = []
    for place, (condition, level_db) in enumerate(asked):
        p_holm = {name: p_values[name][place] for name in scores[place]}
        listeners = {
            name: judged(at, p_holm[name], claim_of(p_holm[name], at.upper, inaudible_below))
            for name, at in scores[place].items()
        }
        group, p = groups[place], p_of_groups[place]
        claim = claim_of_group(claim_of(p, group.upper, inaudible_below), p_holm)
        made.append(
            ScoreResult(
                paradigm=paradigm, condition=condition, level_db=level_db,
                listeners=listeners, group=judged(group, p, claim),
            )
        )  # fmt: skip
    return made


@results.register
def _(
    paradigm: TrackedChoice, rows: Sequence[Row], inaudible_below: float
) -> list[ThresholdResult]:
    """Thresholds in dB of each condition; catch trials count, for their level is known too."""
    del inaudible_below  # a threshold claims nothing of a score
    fits = [
        threshold_result(paradigm, condition, answers, curve=True)
        for condition, answers in grouped(rows, lambda row: row.condition).items()
    ]
    return [result for result in fits if result is not None]


def threshold_result(
    paradigm: TrackedChoice, condition: Condition, rows: Sequence[Row], *, curve: bool
) -> ThresholdResult | None:
    """Thresholds of one condition, with the curves for a picture or without.

    None if no test was answered.
    """
    played = [_level(row) for row in rows]
    levels = np.linspace(min(played), max(played), CURVE_POINTS).tolist() if curve else []
    listeners = {
        name: _listener_fit(paradigm, answers, levels)
        for name, answers in by_listener(rows).items()
        if tested(answers)
    }
    if not listeners:
        return None
    group = _group_fit([*listeners.values()], rows, levels)
    return ThresholdResult(paradigm=paradigm, condition=condition, listeners=listeners, group=group)


def _listener_fit(
    paradigm: TrackedChoice, rows: Sequence[Row], levels_db: list[float]
) -> ListenerFit:
    played = [_level(row) for row in rows]
    posterior = fit(played, [*map(_is_right, rows)], paradigm.guess_rate)
    thresholds = criteria(paradigm).map(lambda at: threshold(posterior, at, played))
    faint = faint_db(posterior, paradigm, played)
    curve = _curve(posterior, levels_db)
    spread_db, lapse_rate = posterior.spread_db, posterior.lapse_rate
    return ListenerFit(
        len(tested(rows)), thresholds, faint, spread_db, lapse_rate, _points(rows), curve
    )


def _curve(posterior: Posterior, levels_db: list[float]) -> tuple[CurvePoint, ...]:
    ranges = zip(levels_db, posterior.curve(levels_db), strict=True)
    return tuple(CurvePoint(level_db, *at) for level_db, at in ranges)


def _group_fit(
    listeners: Sequence[ListenerFit], rows: Sequence[Row], levels_db: list[float]
) -> GroupFit:
    thresholds = Criteria(
        mean_threshold([fitted.thresholds.d_prime_1 for fitted in listeners]),
        mean_threshold([fitted.thresholds.correct_79 for fitted in listeners]),
    )
    means = [
        mean_interval([fitted.curve[place].correct for fitted in listeners])
        for place in range(len(levels_db))
    ]
    curve = tuple(
        CurvePoint(level_db, at.mean, at.lower, at.upper)
        for level_db, at in zip(levels_db, means, strict=True)
    )
    return GroupFit(len(listeners), thresholds, _points(rows), curve)


def _points(rows: Sequence[Row]) -> tuple[Point, ...]:
    by_level = grouped(rows, _level)
    return tuple(
        Point(level_db, sum(map(_is_right, by_level[level_db])), len(by_level[level_db]))
        for level_db in sorted(by_level)
    )


@results.register
def _(paradigm: GradedRating, rows: Sequence[Row], inaudible_below: float) -> list[GradeResult]:
    """Mean grades of each item; the hidden reference has no level."""
    del inaudible_below
    return [
        GradeResult(
            paradigm=paradigm, condition=condition, level_db=level_db,
            listeners=means, group=mean_interval([*means.values()]),
        )
        for (condition, level_db), means in _means(tested(rows)).items()
    ]  # fmt: skip


@results.register
def _(
    paradigm: ComparedRating, rows: Sequence[Row], inaudible_below: float
) -> list[DifferenceResult]:
    """Differences of grades from the hidden reference's."""
    del inaudible_below
    means = _means(differences(rows))
    p = [p_value_of_mean([-mean for mean in at.values()], 0) for at in means.values()]
    p_holm = holm({place: value for place, value in enumerate(p) if value is not None})
    return [
        DifferenceResult(
            paradigm=paradigm, condition=condition, level_db=level_db,
            listeners=at, group=mean_interval([*at.values()]),
            p=p[place], p_holm=p_holm.get(place),
        )
        for place, ((condition, level_db), at) in enumerate(means.items())
    ]  # fmt: skip


def _means(rows: Sequence[Row]) -> dict[tuple[Condition, float | None], dict[str, float]]:
    """The mean grade of each listener, at each level of each condition."""
    return {
        at: {
            name: float(np.mean([row.answer for row in grades]))
            for name, grades in by_listener(answers).items()
        }
        for at, answers in grouped(rows, lambda row: (row.condition, row.level_db)).items()
    }


def differences(rows: Sequence[Row]) -> list[Row]:
    """One row for each tested page: the impaired item's grade less the hidden reference's."""
    made = []
    for page in grouped(tested(rows), lambda row: (row.listener, row.trial)).values():
        grades = {row.level_db: row.answer for row in page}
        (level_db,) = grades.keys() - {None}
        made.append(replace(page[0], level_db=level_db, answer=grades[level_db] - grades[None]))
    return made


def _is_right(row: Row) -> bool:
    return bool(row.correct)


def _level(row: Row) -> float:
    """The level of a choice, which all of them have."""
    assert row.level_db is not None, "a choice has a level"
    return row.level_db
