"""What may be concluded from counts: tests, bounds and intervals, each with its source."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

import numpy as np
from scipy.stats import binomtest, t

Name = TypeVar("Name", bound=Hashable)
ALPHA = 0.05


def p_value(correct: int, trials: int, guess_rate: float = 0.5) -> float:
    """Probability of at least `correct` of `trials` by guessing (exact, one-sided binomial).

    Better than chance is the question, so one side: 12 of 16 is .038. Only for trials whose
    number was fixed before the first, of one listener or of one trial per listener.
    """
    return float(binomtest(correct, trials, guess_rate, alternative="greater").pvalue)


def lower_bound(correct: int, trials: int, confidence: float = 0.95) -> float:
    """The proportion that the truth exceeds (Clopper & Pearson 1934, one-sided).

    It matches `p_value`: above the guess rate exactly where p is below 1 - confidence.
    """
    test = binomtest(correct, trials, alternative="greater")
    return float(test.proportion_ci(confidence, method="exact").low)


def upper_bound(correct: int, trials: int, confidence: float = 0.95) -> float:
    """The proportion that the truth stays below (Clopper & Pearson 1934, one-sided)."""
    test = binomtest(correct, trials, alternative="less")
    return float(test.proportion_ci(confidence, method="exact").high)


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """P values adjusted for their number: one of them is false in at most alpha (Holm 1979)."""
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


@dataclass(frozen=True)
class Score:
    """A proportion correct, its p, and its one-sided bounds below and above."""

    correct: int
    trials: int
    proportion: float
    p: float
    lower: float
    upper: float


def score(
    correct: int, trials: int, guess_rate: float = 0.5, confidence: float = 1 - ALPHA
) -> Score:
    """The score of one listener, or of trials that are as independent as theirs."""
    bounds = (bound(correct, trials, confidence) for bound in (lower_bound, upper_bound))
    return Score(correct, trials, correct / trials, p_value(correct, trials, guess_rate), *bounds)


def score_of_group(
    counts: Sequence[tuple[int, int]], guess_rate: float = 0.5, confidence: float = 1 - ALPHA
) -> Score:
    """The score of a group, by (correct, trials) of each listener.

    Trials of one listener are alike, so that pooled they would claim too much: listeners are the
    sample, by a t test of their proportions. By luck those may be closer than trials ever are, so
    no bound is tighter, and no p smaller, than those of pooled trials. One trial each is pooled.
    """
    correct, trials = (sum(numbers) for numbers in zip(*counts, strict=True))
    pooled = score(correct, trials, guess_rate, confidence)
    if len(counts) == 1 or trials == len(counts):
        return pooled
    proportions = [c / n for c, n in counts]
    mean = mean_interval(proportions, 2 * confidence - 1)
    p = max(pooled.p, p_value_of_mean(proportions, guess_rate) or 0.0)
    lower = pooled.lower if mean.lower is None else min(max(0.0, mean.lower), pooled.lower)
    upper = pooled.upper if mean.upper is None else max(min(1.0, mean.upper), pooled.upper)
    return Score(correct, trials, mean.mean, p, lower, upper)


@dataclass(frozen=True)
class Mean:
    """Its interval is None for one value, and where all values are equal."""

    mean: float
    lower: float | None
    upper: float | None
    count: int


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Mean:
    """Mean of one value per listener and its t interval: listeners vary, not only their trials.

    Raises:
        ValueError: without a value.
    """
    if not len(values):
        raise ValueError("no listeners to take the mean of.")
    count, mean = len(values), float(np.mean(values))
    if len(set(values)) == 1:  # how much listeners vary is not known
        return Mean(mean, None, None, count)
    reach = t.isf((1 - confidence) / 2, count - 1) * np.std(values, ddof=1) / sqrt(count)
    return Mean(mean, mean - float(reach), mean + float(reach), count)


def p_value_of_mean(values: Sequence[float], chance: float) -> float | None:
    """Whether listeners exceed chance on average (one-sided t test).

    None for one listener, and where all values are equal: how much they vary is not known.
    """
    if len(set(values)) < 2:
        return None
    above, error = float(np.mean(values)) - chance, float(np.std(values, ddof=1))
    return float(t.sf(above * sqrt(len(values)) / error, len(values) - 1))
