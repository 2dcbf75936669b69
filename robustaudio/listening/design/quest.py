"""QUEST+: the level whose answer will tell most about the psychometric function (Watson 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.special import entr

from robustaudio.listening.psychometric import BEYOND_DB, Grid, log_answers, log_likelihood, weighed

# Two are enough to place trials: were 0 among them, a lapse at the start would lead astray for
# long; were they many, trials would be spent on telling them apart.
LAPSE_RATES = 0.02, 0.05


@dataclass(frozen=True, eq=False)
class Table:
    """The psychometric functions that are thought possible, at the levels that can be played."""

    levels_db: Float[ndarray, " level"]
    prior: Float[ndarray, " parameters"]
    psi: Float[ndarray, "level parameters"]

    @cached_property
    def logs(self) -> tuple[ndarray, ndarray]:
        return log_answers(self.psi)

    @cached_property
    def entropy(self) -> Float[ndarray, "level parameters"]:
        """Entropy of an answer at each level under each function, in nats."""
        return answer_entropy(self.psi)


@lru_cache(maxsize=16)
def table(
    levels_db: tuple[float, ...], guess_rate: float, step_db: float, expected: tuple[float, float]
) -> Table:
    """Thresholds reach beyond the levels on both sides, for listeners who hear all or nothing."""
    low, high = min(levels_db) - BEYOND_DB / 2, max(levels_db) + BEYOND_DB / 2
    thresholds = np.arange(low, high + step_db / 2, step_db)
    grid = Grid(thresholds, guess_rate, expected, LAPSE_RATES)
    psi = grid.psi(levels_db).reshape(len(levels_db), -1)
    return Table(np.array(levels_db), grid.prior.ravel(), psi)


def answer_entropy(proportion_correct: ndarray) -> ndarray:
    """Entropy of a right or wrong answer, in nats."""
    return entr(proportion_correct) + entr(1 - proportion_correct)


def posterior(
    table: Table, levels_db: Sequence[float], correct: Sequence[bool]
) -> Float[ndarray, " parameters"]:
    """The weights after the answers given so far."""
    which, count = np.searchsorted(table.levels_db, levels_db), len(table.levels_db)
    trials = np.bincount(which, minlength=count)
    hits = np.bincount(which, weights=np.asarray(correct, float), minlength=count)
    return weighed(table.prior, log_likelihood(table.logs, hits, trials - hits))


def information(table: Table, weights: Float[ndarray, " parameters"]) -> Float[ndarray, " level"]:
    """Nats that an answer at each level is expected to tell of the parameters.

    The expected entropy after it, which Watson minimises (his equation 11), is today's minus this:
    H(answer) - H(answer | parameters), two products of a matrix and a vector.
    """
    return answer_entropy(table.psi @ weights) - table.entropy @ weights
