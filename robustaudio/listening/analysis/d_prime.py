"""Sensitivity d': the distance of perturbed from clean in units of the listener's own noise.

75 % correct in ABX takes twice the d' of 75 % in 2AFC: thresholds of different paradigms are
compared by d', never by percent. Formulas: Macmillan & Creelman 2005, chapters 7, 9 and 10.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import ndtr

LARGEST = 12.0  # 1 - 1e-16 correct in 2AFC
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)  # of integrals over a standard normal


def two_intervals(d_prime: float) -> float:
    """2AFC: Phi(d' / sqrt 2)."""
    return float(ndtr(d_prime / sqrt(2)))


def three_intervals(d_prime: float) -> float:
    """3AFC: the perturbed interval exceeds both clean ones (Hacker & Ratcliff 1979)."""
    return float(WEIGHTS @ ndtr(NODES + d_prime) ** 2 / sqrt(2 * np.pi))


def abx(d_prime: float) -> float:
    """ABX by differences, as in a test whose clips and levels rove."""
    return _abx(d_prime / sqrt(2), d_prime / sqrt(6))


def abx_independent(d_prime: float) -> float:
    """ABX by independent observations, of one pair that the listener knows by heart."""
    return _abx(d_prime / sqrt(2), d_prime / 2)


def _abx(a: float, b: float) -> float:
    return float(ndtr(a) * ndtr(b) + ndtr(-a) * ndtr(-b))


PROPORTIONS: dict[str, Callable[[float], float]] = {
    "2afc": two_intervals,
    "3afc": three_intervals,
    "abx": abx,
    "abx-independent": abx_independent,
}


def proportion_at(d_prime: float, paradigm: str) -> float:
    """Proportion correct of an unbiased listener."""
    return _of(paradigm)(d_prime)


def d_prime(proportion: float, paradigm: str) -> float:
    """The inverse of `proportion_at`; 0 at or below chance, where nothing was heard.

    Raises:
        ValueError: for 0 or 1, whose d' is infinite (see `log_linear`), or an unknown paradigm.
    """
    function = _of(paradigm)
    if not 0 < proportion < 1:
        raise ValueError(f"proportion {proportion:g} must lie between 0 and 1; use log_linear.")
    if proportion <= function(0):
        return 0.0
    if proportion >= function(LARGEST):
        return LARGEST
    found = root_scalar(lambda d: function(d) - proportion, bracket=(0, LARGEST), xtol=1e-10)
    return float(found.root)


def log_linear(correct: int, trials: int) -> float:
    """(correct + 1/2) / (trials + 1): never 0 or 1, and less biased than to correct only those.

    Hautus 1995.
    """
    return (correct + 0.5) / (trials + 1)


def _of(paradigm: str) -> Callable[[float], float]:
    if paradigm not in PROPORTIONS:
        raise ValueError(f"no d' for {paradigm!r}; choose from {', '.join(PROPORTIONS)}.")
    return PROPORTIONS[paradigm]
