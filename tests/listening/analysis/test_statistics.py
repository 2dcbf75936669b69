"""Each number has a known answer: from a table, from R's psyphy, or by hand."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from robustaudio.listening.analysis.statistics import (
    ALPHA,
    Mean,
    holm,
    lower_bound,
    mean_interval,
    p_value,
    p_value_of_mean,
    score,
    score_of_group,
    upper_bound,
)

TINY = 1e-9  # a third of 3 trials is one, whatever floats say


def is_inaudible(correct: int, trials: int, below: float, confidence: float = 0.95) -> bool:
    """Whether the true proportion correct is shown to lie below a bound: a claim of equivalence.

    p > .05 shows nothing: 8 of 16 right still allows 72 %. The bound is chosen before the test.
    """
    return upper_bound(correct, trials, confidence) < below


def trials_for_inaudible(below: float, guess_rate: float = 0.5, confidence: float = 0.95) -> int:
    """The fewest trials in which a score at chance, and not below it, shows `is_inaudible`.

    Raises:
        ValueError: for a bound that is not above chance.
    """
    if not guess_rate < below < 1:
        raise ValueError(f"below {below:g} must lie between chance, {guess_rate:.3g}, and 1.")
    trials = 1
    while not is_inaudible(ceil(trials * guess_rate - TINY), trials, below, confidence):
        trials += 1
    return trials


# --- exact binomial ------------------------------------------------------------------------------


def test_p_values_by_hand():
    assert p_value(12, 16) == pytest.approx(2517 / 65536) == pytest.approx(0.0384, abs=1e-4)
    assert p_value(9, 10) == pytest.approx(11 / 1024)
    assert p_value(14, 16) == pytest.approx(137 / 65536)
    assert p_value(2, 2, 1 / 3) == pytest.approx(1 / 9)
    assert p_value(0, 16) == 1


def test_below_chance_is_not_significant():
    """2 of 10 was, where the probability of the exact outcome was taken for a p value."""
    assert p_value(2, 10) == pytest.approx(0.9893, abs=1e-4)
    assert binom.pmf(2, 10, 0.5) < 0.05


@given(trials=st.integers(1, 100), share=st.floats(0, 1))
def test_the_bound_matches_the_p_value(trials, share):
    correct = round(share * trials)
    assert (lower_bound(correct, trials) >= 0.5) == (p_value(correct, trials) <= 0.05)
    assert lower_bound(correct, trials) <= share + 1 / trials
    assert lower_bound(correct, trials) <= correct / trials <= upper_bound(correct, trials)


def test_bounds_by_hand():
    """Of n right answers of n the lower bound is .05^(1/n); Clopper-Pearson of 12 of 16."""
    assert lower_bound(16, 16) == pytest.approx(0.05 ** (1 / 16))
    assert upper_bound(0, 16) == pytest.approx(1 - 0.05 ** (1 / 16))
    assert lower_bound(12, 16, 0.975) == pytest.approx(0.476, abs=5e-4)
    assert upper_bound(12, 16, 0.975) == pytest.approx(0.927, abs=5e-4)
    assert upper_bound(16, 16) == 1 and lower_bound(0, 16) == 0


def test_bounds_of_several_conditions_are_as_sure_all_together():
    """Bonferroni: one-sided 95 % of five is 99 % of each."""
    sure = score(8, 16, confidence=1 - ALPHA / 5)
    assert sure.upper == upper_bound(8, 16, 0.99) and sure.lower == lower_bound(8, 16, 0.99)
    wide = score_of_group([(8, 16), (10, 16), (9, 16)], confidence=0.99)
    assert wide.upper > score_of_group([(8, 16), (10, 16), (9, 16)]).upper


# --- inaudible -----------------------------------------------------------------------------------


def test_half_of_sixteen_does_not_show_that_nothing_is_heard():
    assert upper_bound(8, 16) == pytest.approx(0.72, abs=0.005)
    assert not is_inaudible(8, 16, below=0.7)
    assert is_inaudible(8, 16, below=0.75)


@pytest.mark.parametrize("below, trials", [(0.6, 76), (0.65, 36), (0.55, 290)])
def test_trials_that_show_inaudible(below, trials):
    assert trials_for_inaudible(below) == trials
    assert is_inaudible(trials // 2, trials, below)
    assert not is_inaudible(trials // 2 + 1, trials, below)


def test_a_bound_at_chance_cannot_be_shown():
    with pytest.raises(ValueError, match=r"below 0.5 must lie between chance, 0.5, and 1"):
        trials_for_inaudible(0.5)


# --- many tests, many listeners ------------------------------------------------------------------


def test_holm_by_hand():
    """Holm 1979: .01 x 4, .02 x 3, then never below the one before, never above 1."""
    adjusted = holm({"d": 0.9, "a": 0.01, "c": 0.03, "b": 0.02})
    assert adjusted == pytest.approx({"d": 0.9, "a": 0.04, "c": 0.06, "b": 0.06})
    assert list(adjusted) == ["d", "a", "c", "b"]
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1, "b": 1}
    assert holm({}) == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_p_values_and_bonferroni(p_values):
    adjusted = holm(dict(enumerate(p_values)))
    for n, p in enumerate(p_values):
        assert p <= adjusted[n] <= min(1, len(p_values) * p) + 1e-12


def test_a_mean_in_db_and_its_interval_by_hand():
    """-42, -40 and -38: standard error 2 / sqrt 3, t of 2 degrees 4.3027."""
    found = mean_interval([-42, -40, -38])
    assert found.mean == -40 and found.count == 3
    assert found.lower == pytest.approx(-40 - 4.3027 * 2 / 3**0.5, abs=1e-3)
    assert found.upper == pytest.approx(-40 + 4.3027 * 2 / 3**0.5, abs=1e-3)
    alone = mean_interval([-40])
    assert (alone.mean, alone.lower, alone.upper) == (-40, None, None)
    with pytest.raises(ValueError, match="no listeners"):
        mean_interval([])


def test_the_p_value_of_a_mean():
    """t = 3 of 3 degrees: .0288 on one side."""
    values = 0.5 + np.array([0.3, 0.1, 0.3, 0.1])
    t = 0.2 / (np.std(values, ddof=1) / 2)
    assert t == pytest.approx(3.4641, abs=1e-4)
    assert p_value_of_mean(values, 0.5) == pytest.approx(0.0203, abs=1e-4)
    assert p_value_of_mean(1 - values, 0.5) == pytest.approx(1 - 0.0203, abs=1e-4)
    assert p_value_of_mean([0.7], 0.5) is None


def test_values_that_are_all_equal_tell_nothing_of_how_listeners_vary():
    assert p_value_of_mean([0.7, 0.7], 0.5) is None
    assert mean_interval([-0.1, -0.1]) == Mean(-0.1, None, None, 2)


def test_a_group_of_one_trial_each_is_a_binomial():
    class_of_30 = [(1, 1)] * 20 + [(0, 1)] * 10
    assert score_of_group(class_of_30) == score(20, 30)
    assert score_of_group([(12, 16)]) == score(12, 16)


def test_trials_of_several_listeners_are_not_pooled():
    """One of three hears everything: pooled .003, but of listeners it says nothing."""
    counts = [(16, 16), (8, 16), (8, 16)]
    assert p_value(32, 48) < 0.02
    found = score_of_group(counts)
    assert found.p == pytest.approx(0.211, abs=1e-3) and found.lower < 0.5 and found.upper > 0.9


def test_bounds_of_a_group_by_hand():
    """1/2, 3/4 and 1 of 16: one-sided 95 % of t with 2 degrees is 2.920; trials are surer."""
    found = score_of_group([(8, 16), (12, 16), (16, 16)])
    assert found.lower == pytest.approx(0.75 - 2.920 * 0.25 / 3**0.5, abs=1e-3) and found.upper == 1
    close, pooled = score_of_group([(8, 16), (9, 16), (8, 16)]), score(25, 48)
    assert (close.lower, close.upper) == (pooled.lower, pooled.upper)


def test_listeners_who_agree_by_luck_are_no_surer_than_their_trials():
    found, pooled = score_of_group([(8, 16), (8, 16)]), score(16, 32)
    assert (found.lower, found.upper) == (pooled.lower, pooled.upper)
    assert not is_inaudible(16, 32, 0.6) and found.upper > 0.6
    assert score_of_group([(12, 16), (12, 16)]).p == p_value(24, 32)
