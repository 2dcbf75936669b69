"""The psychometric function by hand, and the fit beside brute force and a known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from robustaudio.listening import psychometric
from robustaudio.listening.psychometric import fit, proportion_correct, quantiles

TRIALS = {-50.0: (11, 20), -46.0: (14, 20), -42.0: (19, 20), -38.0: (20, 20)}


def expanded(counts: dict[float, tuple[int, int]]) -> tuple[list[float], list[bool]]:
    levels = [level for level, (_, n) in counts.items() for _ in range(n)]
    correct = [i < k for k, n in counts.values() for i in range(n)]
    return levels, correct


def test_the_function_by_hand():
    """Wichmann & Hill 2001, eq. 1: in the middle half way between guessing and lapsing."""
    assert proportion_correct(-40, -40, 2, 0.5, 0.02) == pytest.approx(0.5 + 0.48 / 2)
    assert proportion_correct(-40 + 2 * np.log(3), -40, 2, 0.5, 0) == pytest.approx(0.875)
    assert proportion_correct(100, -40, 2, 1 / 3, 0.04) == pytest.approx(0.96)
    assert proportion_correct(-300, -40, 2, 1 / 3, 0.04) == pytest.approx(1 / 3)


def test_the_posterior_is_bayes_rule_by_brute_force():
    levels, correct = expanded(TRIALS)
    posterior = fit(levels, correct, 0.5)
    grid, weights = posterior.grid, posterior.grid.prior.copy()
    for t, threshold in enumerate(grid.thresholds_db):
        for s, spread in enumerate(psychometric.SPREADS_DB):
            for lapse, rate in enumerate(psychometric.LAPSE_RATES):
                for level, (k, n) in TRIALS.items():
                    p = 0.5 + (0.5 - rate) * expit((level - threshold) / spread)
                    weights[t, s, lapse] *= p**k * (1 - p) ** (n - k)
    assert np.allclose(posterior.weights, weights / weights.sum(), atol=1e-10)


def test_many_trials_find_the_truth():
    generator = np.random.default_rng(0)
    levels = np.repeat(np.arange(-60.0, -19, 2), 200)
    for guess_rate in (1 / 2, 1 / 3):
        psi = proportion_correct(levels, -41.3, 2.6, guess_rate, 0.02)
        posterior = fit(levels, generator.random(len(levels)) < psi, guess_rate)
        middle = posterior.level_at((1 + guess_rate) / 2)
        assert middle.estimate == pytest.approx(-41.3, abs=0.7)
        assert middle.lower < -41.3 < middle.upper and 1 < middle.upper - middle.lower < 1.7
        assert posterior.spread_db == pytest.approx(2.6, abs=0.4)
        assert posterior.lapse_rate == pytest.approx(0.02, abs=0.006)


@given(shift=st.integers(-40, 40), proportion=st.floats(0.55, 0.95))
def test_levels_that_move_move_the_threshold(shift, proportion):
    levels, correct = expanded(TRIALS)
    here = fit(levels, correct, 0.5).level_at(proportion)
    there = fit([level + shift for level in levels], correct, 0.5).level_at(proportion)
    assert np.subtract(there, here) == pytest.approx([shift] * 3, abs=1e-6)


def test_a_higher_proportion_is_at_a_higher_level_and_less_sure_of_less():
    posterior = fit(*expanded(TRIALS), 0.5)
    levels = [posterior.level_at(p).estimate for p in (0.6, 0.7, 0.8, 0.9)]
    assert levels == sorted(levels)
    wide, narrow = posterior.level_at(0.75, 0.99), posterior.level_at(0.75, 0.5)
    assert wide.lower < narrow.lower < narrow.estimate < narrow.upper < wide.upper


def test_the_curve_rises_from_guessing_and_lies_in_its_interval():
    curve = fit(*expanded(TRIALS), 0.5).curve([-70, -50, -46, -42, -38, -20])
    means = [at.estimate for at in curve]
    assert means == sorted(means) and means[0] == pytest.approx(0.5, abs=0.01)
    assert all(at.lower <= at.estimate <= at.upper for at in curve)
    assert 0.9 < means[-1] < 1


def test_order_and_grouping_of_trials_change_nothing():
    levels, correct = expanded(TRIALS)
    back = fit(levels[::-1], correct[::-1], 0.5)
    assert np.allclose(back.weights, fit(levels, correct, 0.5).weights)


def test_extreme_answers_are_finite():
    for correct in (True, False):
        posterior = fit([-80.0, -10.0] * 30, [correct] * 60, 0.5)
        assert np.isfinite(posterior.weights).all()
        assert np.isfinite(posterior.level_at(0.79)).all()


def test_weighted_quantiles():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([0.25, 0.25, 0.5])
    assert quantiles(values, weights, (0.25, 0.5, 0.75)) == pytest.approx([1.5, 2, 2.5])
    twice = quantiles(np.repeat(values, 2), np.repeat(weights, 2) / 2, (0.25, 0.5, 0.75))
    assert twice == pytest.approx([1.5, 2, 2.5])


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="no trials"):
        fit([], [], 0.5)
    with pytest.raises(ValueError, match=r"proportion 0.5 must lie between 0.5 and 1"):
        fit([-40.0], [True], 0.5).level_at(0.5)
