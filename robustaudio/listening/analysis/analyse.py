"""A study's rows in, what may be concluded out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from robustaudio.listening.analysis.by_paradigm import (
    GradeResult,
    Result,
    ScoreResult,
    ThresholdResult,
    by_listener,
    grouped,
    results,
)
from robustaudio.listening.analysis.exclusion import excluded
from robustaudio.listening.design.procedures import INAUDIBLE_BELOW
from robustaudio.listening.design.trial import Row


@dataclass(frozen=True)
class Analysis:
    """Who was excluded and why, by name, and the results of the others.

    `listeners` counts all of them. Results are ordered by condition and level.
    """

    listeners: int
    excluded: Mapping[str, str]
    inaudible_below: float
    results: tuple[ScoreResult | ThresholdResult | GradeResult, ...]

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"results": [result.to_json() for result in self.results]}


def analyse(rows: Sequence[Row], inaudible_below: float = INAUDIBLE_BELOW) -> Analysis:
    """The rows of `to_rows`, analysed as their paradigms ask for.

    Listeners are screened first, and who is left out is named with the reason. Then there is one
    result per paradigm and condition, per level too where levels are fixed: what each listener
    heard, and the group. "Inaudible" claims that the true proportion correct lies below
    `inaudible_below`, which a study chooses beforehand, and is said only where that is shown.
    """
    arrived = sorted(rows, key=lambda row: row.listener)  # whoever answered first
    counted = [row for row in arrived if row.kind != "practice"]
    left_out = excluded(counted)
    kept = [row for row in counted if row.listener not in left_out]
    made = [
        result
        for paradigm, answers in grouped(kept, lambda row: row.paradigm).items()
        for result in results(paradigm, answers, inaudible_below)
    ]
    made.sort(key=_order)
    return Analysis(len(by_listener(counted)), left_out, inaudible_below, tuple(made))


def _order(result: Result) -> tuple[str, str, float]:
    """By condition; each one's hidden reference comes first, then its levels."""
    level_db = -inf if result.level_db is None else result.level_db
    return result.paradigm.name, str(result.condition), level_db
