"""What the rows of one paradigm say, condition by condition: of each listener, and of the group."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from robustaudio.listening.analysis.claims import claim_of, claim_of_group
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
from robustaudio.listening.psychometric import fit

CURVE_POINTS = 25
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Judged(Score):
    """A score with its d', its p adjusted for the number of results (Holm), and what it shows."""

    d_prime: float
    p_holm: float
    verdict: str
    statement: str


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
    points: list[Point]
    curve: list[CurvePoint]


@dataclass(frozen=True)
class GroupFit:
    """Means over listeners, in dB, and of their curves; the points pool the trials, to be drawn."""

    thresholds: Criteria[Threshold | None]
    points: list[Point]
    curve: list[CurvePoint]


@dataclass(frozen=True)
class MeanDifference(Mean):
    """Mean over listeners; `p` is that of its being below 0, None where it has none."""

    p: float | None
    p_holm: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What is known of a condition, at one level where levels are fixed.

    `listeners` is by their names. A hidden reference has no level, nor has a threshold.
    """

    paradigm: Paradigm
    condition: Condition
    level_db: float | None = None
    listeners: Mapping[str, Any]
    group: Any

    @property
    def count(self) -> int:
        """How many listeners."""
        return len(self.listeners)

    def to_json(self) -> dict[str, Any]:
        """All of it; the paradigm by its name, the condition as it is shown and in its parts."""
        return {
            "paradigm": self.paradigm.name,
            "condition": str(self.condition),
            **asdict(self.condition),
            "level_db": self.level_db,
            "listeners": {name: asdict(result) for name, result in self.listeners.items()},
            "group": {"listeners": self.count, **asdict(self.group)},
        }


@dataclass(frozen=True, kw_only=True)
class ScoreResult(Result):
    """Right answers at one level."""

    paradigm: ScoredChoice
    listeners: Mapping[str, Judged]
    group: Judged


@dataclass(frozen=True, kw_only=True)
class ThresholdResult(Result):
    """Psychometric functions, and the levels at which they reach some proportion correct."""

    paradigm: TrackedChoice
    listeners: Mapping[str, ListenerFit]
    group: GroupFit

    @property
    def thresholds(self) -> Criteria[Threshold] | Criteria[Threshold | None]:
        """The listeners' means; of a single listener their own, which have intervals."""
        first, *others = self.listeners.values()
        return self.group.thresholds if others else first.thresholds


@dataclass(frozen=True, kw_only=True)
class GradeResult(Result):
    """Mean grades of one item, or, of a `ComparedRating`, differences from the reference's.

    Those of a listener are over their pages, those of the group over listeners' means.
    """

    paradigm: Rating
    listeners: Mapping[str, Mean]
    group: Mean


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


def results(
    paradigm: Paradigm, rows: Sequence[Row], inaudible_below: float
) -> Sequence[ScoreResult | ThresholdResult | GradeResult]:
    """The results of a paradigm's rows; p is adjusted over all of them (Holm)."""
    match paradigm:
        case ScoredChoice():
            return _scores(paradigm, rows, inaudible_below)
        case TrackedChoice():  # catch trials count, for their level is known too
            by_condition = grouped(rows, lambda row: row.condition).items()
            fits = [threshold_result(paradigm, *group, curve=True) for group in by_condition]
            return [result for result in fits if result is not None]
        case GradedRating():
            return _graded(paradigm, tested(rows))
        case ComparedRating():
            return _compared(_graded(paradigm, differences(rows)))
    raise NotImplementedError(f"no analysis for {type(paradigm).__name__}.")


def _scores(
    paradigm: ScoredChoice, rows: Sequence[Row], inaudible_below: float
) -> list[ScoreResult]:
    """Scores at each level: proportion correct, p, d', one-sided bounds, 95 % sure all together."""
    asked = grouped(tested(rows), _place)
    confidence, guess = 1 - ALPHA / max(1, len(asked)), paradigm.guess_rate
    scores = {
        name: {
            place: score(sum(map(_is_right, trials)), len(trials), guess, confidence)
            for place, trials in grouped(answers, _place).items()
        }
        for name, answers in by_listener(tested(rows)).items()
    }
    groups = {}
    for place in asked:
        at_place = [by_place[place] for by_place in scores.values() if place in by_place]
        counts = [(score.correct, score.trials) for score in at_place]
        groups[place] = score_of_group(counts, guess, confidence)
    p_of_groups = _adjusted(groups)
    p_values = {name: _adjusted(by_place) for name, by_place in scores.items()}

    def judged(score: Score, p_holm: float, p_of_listeners: Mapping[str, float]) -> Judged:
        """What a score shows; of a group, beside what its listeners' p values show."""
        sensitivity = d_prime(log_linear(score.correct, score.trials), paradigm)
        claim = claim_of_group(claim_of(p_holm, score.upper, inaudible_below), p_of_listeners)
        return Judged(**vars(score), d_prime=sensitivity, p_holm=p_holm, **vars(claim))

    made = []
    for place, group in groups.items():
        p_holm = {name: p[place] for name, p in p_values.items() if place in p}
        made.append(
            ScoreResult(
                paradigm=paradigm, condition=place[0], level_db=place[1],
                listeners={name: judged(scores[name][place], p, {}) for name, p in p_holm.items()},
                group=judged(group, p_of_groups[place], p_holm),
            )
        )  # fmt: skip
    return made


def _adjusted(scores: Mapping[Key, Score]) -> dict[Key, float]:
    return holm({place: score.p for place, score in scores.items()})


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
    fits = listeners.values()
    thresholds = Criteria(
        mean_threshold([fitted.thresholds.d_prime_1 for fitted in fits]),
        mean_threshold([fitted.thresholds.correct_79 for fitted in fits]),
    )
    means = []
    for place, level_db in enumerate(levels):
        mean = mean_interval([fitted.curve[place].correct for fitted in fits])
        means.append(CurvePoint(level_db, mean.mean, mean.lower, mean.upper))
    group = GroupFit(thresholds, _points(rows), means)
    return ThresholdResult(paradigm=paradigm, condition=condition, listeners=listeners, group=group)


def _listener_fit(
    paradigm: TrackedChoice, rows: Sequence[Row], levels_db: list[float]
) -> ListenerFit:
    played = [_level(row) for row in rows]
    posterior = fit(played, [*map(_is_right, rows)], paradigm.guess_rate)
    ranges = zip(levels_db, posterior.curve(levels_db), strict=True)
    proportions = criteria(paradigm)
    return ListenerFit(
        trials=len(tested(rows)),
        thresholds=Criteria(
            threshold(posterior, proportions.d_prime_1, played),
            threshold(posterior, proportions.correct_79, played),
        ),
        faint_db=faint_db(posterior, paradigm, played),
        spread_db=posterior.spread_db,
        lapse_rate=posterior.lapse_rate,
        points=_points(rows),
        curve=[CurvePoint(level_db, *interval) for level_db, interval in ranges],
    )


def _points(rows: Sequence[Row]) -> list[Point]:
    at_levels = sorted(grouped(rows, _level).items())
    return [Point(level_db, sum(map(_is_right, at)), len(at)) for level_db, at in at_levels]


def _graded(paradigm: Rating, rows: Sequence[Row]) -> list[GradeResult]:
    """Mean grades of each listener, and over listeners, at each level of each condition."""
    made = []
    for (condition, level_db), answers in grouped(rows, _place).items():
        listeners = {
            name: mean_interval([row.answer for row in grades])
            for name, grades in by_listener(answers).items()
        }
        group = mean_interval([mean.mean for mean in listeners.values()])
        made.append(
            GradeResult(
                paradigm=paradigm, condition=condition, level_db=level_db,
                listeners=listeners, group=group,
            )
        )  # fmt: skip
    return made


def _compared(graded: Sequence[GradeResult]) -> list[GradeResult]:
    """Results of differences from the hidden reference's grades, with the p of each."""
    p = [p_value_of_mean([-at.mean for at in result.listeners.values()], 0) for result in graded]
    p_holm = holm({place: value for place, value in enumerate(p) if value is not None})
    return [
        replace(
            result,
            group=MeanDifference(**vars(result.group), p=p[place], p_holm=p_holm.get(place)),
        )
        for place, result in enumerate(graded)
    ]


def differences(rows: Sequence[Row]) -> list[Row]:
    """One row for each tested page: the impaired item's grade less the hidden reference's."""
    made = []
    for page in grouped(tested(rows), lambda row: (row.listener, row.trial)).values():
        grades = {row.level_db: row.answer for row in page}
        (level_db,) = grades.keys() - {None}
        made.append(replace(page[0], level_db=level_db, answer=grades[level_db] - grades[None]))
    return made


def _place(row: Row) -> tuple[Condition, float | None]:
    return row.condition, row.level_db


def _is_right(row: Row) -> bool:
    return bool(row.correct)


def _level(row: Row) -> float:
    """The level of a choice, which all of them have."""
    assert row.level_db is not None, "a choice has a level"
    return row.level_db
