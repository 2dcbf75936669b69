"""Sensitivity d': the distance of perturbed from clean in units of the listener's own noise.

75 % correct in ABX takes twice the d' of 75 % in 2AFC: thresholds of different paradigms are
compared by d', never by percent. Each paradigm has its formula (`design.paradigm`).
"""

from scipy.optimize import root_scalar

from robustaudio.listening.design.paradigm import Choice, Paradigm
from robustaudio.listening.design.study import PARADIGMS

LARGEST = 12.0  # 1 - 1e-16 correct in 2AFC


def proportion_at(d_prime: float, paradigm: Paradigm) -> float:
    """Proportion correct of an unbiased listener.

    Raises:
        ValueError: for a paradigm without right answers.
    """
    return _choice(paradigm).proportion_correct(d_prime)


def d_prime(proportion: float, paradigm: Paradigm) -> float:
    """The inverse of `proportion_at`; 0 at or below chance, where nothing was heard.

    Raises:
        ValueError: for 0 or 1, whose d' is infinite (see `log_linear`), or a paradigm without right
            answers.
    """
    function = _choice(paradigm).proportion_correct
    if not 0 < proportion < 1:
        raise ValueError(f"proportion {proportion:g} must lie between 0 and 1; use log_linear.")
    if proportion <= function(0):
        return 0.0
    if proportion >= function(LARGEST):
        return LARGEST
    solution = root_scalar(lambda d: function(d) - proportion, bracket=(0, LARGEST), xtol=1e-10)
    return float(solution.root)


def log_linear(correct: int, trials: int) -> float:
    """(correct + 1/2) / (trials + 1): never 0 or 1, and less biased than to correct only those.

    Hautus 1995.
    """
    return (correct + 0.5) / (trials + 1)


def _choice(paradigm: Paradigm) -> Choice:
    if isinstance(paradigm, Choice):
        return paradigm
    known = sorted(name for name, other in PARADIGMS.items() if isinstance(other, Choice))
    raise ValueError(f"no d' for {paradigm.name!r}; choose from {', '.join(known)}.")
