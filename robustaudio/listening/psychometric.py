"""The psychometric function on dB, and what a listener's answers say about it.

psi(x) = g + (1 - g - l) F((x - m) / s): x the level in dB, g the guess rate, which the number of
alternatives fixes, l the lapse rate, m the level in the middle of F, s its spread in dB. Everything
here is a sum over a grid of (m, s, l): nothing has to converge, and nothing can fail to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import expit, logit

SPREADS_DB = np.geomspace(0.7, 8.0, 11)
# a lognormal prior: two thirds within the factor; 1.75 is as steep as Watson's Weibull of 3.5
TYPICAL_SPREAD_DB = 1.75
SPREAD_FACTOR = 1.5
LAPSE_RATES = 0.01, 0.02, 0.04, 0.07, 0.11, 0.18  # never 0: one lapse would decide too much
TYPICAL_LAPSE_RATE = 0.05  # the mean of an exponential prior
BEYOND_DB = 20.0  # how far outside the levels played a threshold may lie
STEP_DB = 0.5  # of the thresholds in a fit
WIDEST_DB = 200.0  # of the levels in a fit
AT_ONCE = 32  # levels whose probabilities are in memory: 8 MB on the widest grid
NEGLIGIBLE = 1e-7  # of the largest weight
TAILS = (1 - 0.95) / 2, (1 + 0.95) / 2  # of a 95 % interval
TINY = 1e-12  # no answer is impossible


def proportion_correct(level_db, threshold_db, spread_db, guess_rate, lapse_rate) -> ndarray:
    """psi of Wichmann & Hill 2001, equation 1, with a logistic F on dB; arguments broadcast."""
    detected = expit((np.asarray(level_db) - threshold_db) / spread_db)
    return guess_rate + (1 - guess_rate - lapse_rate) * detected


@dataclass(frozen=True, eq=False)
class Grid:
    """The psychometric functions that are thought possible, with their prior."""

    thresholds_db: Float[ndarray, " threshold"]
    guess_rate: float
    expected: tuple[float, float] | None = None  # mean and standard deviation of thresholds, dB
    lapse_rates: tuple[float, ...] = LAPSE_RATES

    @cached_property
    def prior(self) -> Float[ndarray, "threshold spread lapse"]:
        """Normal in the threshold where one is expected, else flat; lognormal in the spread,
        falling in the lapse rate; sums to 1."""
        mean, deviation = self.expected or (0, np.inf)
        threshold = (self.thresholds_db - mean) / deviation
        spread = np.log(SPREADS_DB / TYPICAL_SPREAD_DB) / np.log(SPREAD_FACTOR)
        bell = np.exp(-(np.add.outer(threshold**2, spread**2)) / 2)
        weights = bell[..., None] * np.exp(-np.array(self.lapse_rates) / TYPICAL_LAPSE_RATE)
        return weights / weights.sum()

    def psi(self, levels_db: Sequence[float] | ndarray) -> ndarray:
        """Proportion correct at each level, first axis, under every function."""
        return proportion_correct(
            np.asarray(levels_db, float)[:, None, None, None],
            self.thresholds_db[:, None, None],
            SPREADS_DB[:, None],
            self.guess_rate,
            np.array(self.lapse_rates),
        )


class Range(NamedTuple):
    """An estimate and its interval."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is believed after the answers: a weight per psychometric function, summing to 1."""

    grid: Grid
    weights: Float[ndarray, "threshold spread lapse"]

    def level_at(self, proportion: float, confidence: float = 0.95) -> Range:
        """The level in dB at which a proportion is correct, lapses aside; median and interval.

        A lapse is no hearing loss: the level is that of g + (1 - g) F.

        Raises:
            ValueError: for a proportion that guessing reaches, or that nobody does.
        """
        guess = self.grid.guess_rate
        if not guess < proportion < 1:
            raise ValueError(f"proportion {proportion:g} must lie between {guess:.3g} and 1.")
        shift = SPREADS_DB * logit((proportion - guess) / (1 - guess))
        levels = self.grid.thresholds_db[:, None] + shift
        tails = (1 - confidence) / 2, (1 + confidence) / 2
        return Range(*quantiles(levels, self.weights.sum(2), (0.5, *tails)))

    def curve(self, levels_db: Sequence[float]) -> list[Range]:
        """Proportion correct at each level: the posterior mean, and its 95 % interval."""
        return [
            Range(float((psi * self.weights).sum()), *quantiles(psi, self.weights, TAILS))
            for psi in self.grid.psi(levels_db)
        ]

    @property
    def spread_db(self) -> float:
        """The posterior mean."""
        return float(self.weights.sum((0, 2)) @ SPREADS_DB)

    @property
    def lapse_rate(self) -> float:
        """The posterior mean."""
        return float(self.weights.sum((0, 1)) @ self.grid.lapse_rates)


def fit(levels_db: Sequence[float], correct: Sequence[bool], guess_rate: float) -> Posterior:
    """The posterior over a grid around the levels played (as psignifit 4, Schuett et al. 2016).

    The grid is fine enough for the hundreds of trials of a listener, not for thousands.

    Raises:
        ValueError: without a trial, or for levels that no test plays: their grid has no end.
    """
    if not len(levels_db):
        raise ValueError("no trials to fit a psychometric function to.")
    span_db = float(np.max(levels_db)) - float(np.min(levels_db))
    if not span_db <= WIDEST_DB:  # NaN neither
        raise ValueError(
            f"levels from {np.min(levels_db):g} to {np.max(levels_db):g} dB must be finite, and "
            f"span {WIDEST_DB:g} dB at most."
        )
    levels, which = np.unique(np.asarray(levels_db, float), return_inverse=True)
    trials = np.bincount(which)
    hits = np.bincount(which, weights=np.asarray(correct, float))
    grid = Grid(
        np.arange(levels[0] - BEYOND_DB, levels[-1] + BEYOND_DB + STEP_DB / 2, STEP_DB), guess_rate
    )
    likelihood = np.zeros_like(grid.prior)
    for start in range(0, len(levels), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        logs = log_answers(grid.psi(levels[some]))
        likelihood += log_likelihood(logs, hits[some], (trials - hits)[some])
    return Posterior(grid, weighed(grid.prior, likelihood))


def log_answers(psi: ndarray) -> tuple[ndarray, ndarray]:
    """Logarithms of the probabilities of a right and of a wrong answer."""
    return np.log(psi + TINY), np.log(1 + TINY - psi)


def log_likelihood(
    logs: tuple[ndarray, ndarray],
    hits: Float[ndarray, " level"],
    misses: Float[ndarray, " level"],
) -> ndarray:
    """Logarithm of the probability of the answers under each function."""
    return np.tensordot(hits, logs[0], 1) + np.tensordot(misses, logs[1], 1)


def weighed(prior: Float[ndarray, "*parameters"], likelihood: ndarray) -> ndarray:
    """Bayes' rule with a log-likelihood; the weights sum to 1."""
    weights = prior * np.exp(likelihood - likelihood.max())
    return weights / weights.sum()


def quantiles(values: ndarray, weights: ndarray, shares: Sequence[float]) -> list[float]:
    """Quantiles of weighted values; each stands for all that is nearer to it than to the next."""
    likely = weights > NEGLIGIBLE * weights.max()  # most of a grid is not, and need not be sorted
    different, which = np.unique(values[likely], return_inverse=True)
    below = np.cumsum(np.bincount(which, weights=weights[likely]))
    edges = np.concatenate([different[:1], (different[1:] + different[:-1]) / 2, different[-1:]])
    return np.interp(shares, np.concatenate([[0], below / below[-1]]), edges).tolist()
