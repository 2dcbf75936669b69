"""Thresholds in dB, of one listener and over many; at the end of the scale a bound, no number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from robustaudio.listening.analysis.d_prime import proportion_at
from robustaudio.listening.analysis.statistics import mean_interval
from robustaudio.listening.design.paradigm import Paradigm
from robustaudio.listening.psychometric import BEYOND_DB, Posterior

Sign = Literal["=", "<=", ">="]
Value = TypeVar("Value", covariant=True)
SIGNS: dict[str, str] = {"=": "", "<=": "≤ ", ">=": "≥ "}  # as they are shown
STAIRCASE_TARGET = 0.5 ** (1 / 3)  # .794, where 3-down 1-up settles (Levitt 1971)
FAINT = 0.36  # a d' with which 60 % of two intervals are right: the edge of hearing
FARTHEST_DB = BEYOND_DB / 2  # from the levels played; farther off nothing is claimed


@dataclass(frozen=True)
class Threshold:
    """A level in dB and its interval; an end is None where the data do not bound it.

    `sign` is "<=" where the estimate lies below the softest level that was played, and ">=" where
    it lies above the loudest: then `level_db` is that level, and the truth may be anywhere beyond.
    """

    sign: Sign
    level_db: float
    lower_db: float | None
    upper_db: float | None


@dataclass(frozen=True)
class Criteria(Generic[Value]):
    """A value for each point at which thresholds are reported.

    `d_prime_1` is at d' = 1, which all paradigms have in common; `correct_79` at 79.4 % correct,
    where staircases settle.
    """

    d_prime_1: Value
    correct_79: Value


def criteria(paradigm: Paradigm) -> Criteria[float]:
    """Proportions correct at which thresholds are reported."""
    return Criteria(proportion_at(1, paradigm), STAIRCASE_TARGET)


def threshold(
    posterior: Posterior, proportion: float, played_db: Sequence[float], confidence: float = 0.95
) -> Threshold:
    """The level of a proportion correct, if it lies among the levels that were played."""
    softest, loudest = min(played_db), max(played_db)
    level_db, lower_db, upper_db = posterior.level_at(proportion, confidence)
    if level_db < softest:
        return Threshold("<=", softest, None, upper_db if upper_db > softest else softest)
    if level_db > loudest:
        return Threshold(">=", loudest, lower_db if lower_db < loudest else loudest, None)
    lower = lower_db if lower_db > softest - FARTHEST_DB else None
    upper = upper_db if upper_db < loudest + FARTHEST_DB else None
    return Threshold("=", level_db, lower, upper)


def faint_db(posterior: Posterior, paradigm: Paradigm, played_db: Sequence[float]) -> float | None:
    """Below it hardly anything is heard: the lower end of the interval of the level of `FAINT`.

    None where it lies too far below the levels that were played.
    """
    lower_db = posterior.level_at(proportion_at(FAINT, paradigm)).lower
    return lower_db if lower_db > min(played_db) - FARTHEST_DB else None


def mean_threshold(thresholds: Sequence[Threshold]) -> Threshold | None:
    """Mean over listeners, in dB, and its t interval.

    With a "<=" among them it is "<=" and has no lower end; None with both "<=" and ">=".
    """
    signs = {threshold.sign for threshold in thresholds}
    if {"<=", ">="} <= signs:
        return None
    levels = mean_interval([threshold.level_db for threshold in thresholds])
    sign: Sign = "<=" if "<=" in signs else ">=" if ">=" in signs else "="
    lower = None if sign == "<=" else levels.lower
    upper = None if sign == ">=" else levels.upper
    return Threshold(sign, levels.mean, lower, upper)
