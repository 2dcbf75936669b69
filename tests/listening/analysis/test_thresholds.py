"""Thresholds at comparable points, bounds at the ends of what was played, and means in dB."""

import pytest

from robustaudio.listening.analysis.d_prime import proportion_at
from robustaudio.listening.analysis.thresholds import (
    Threshold,
    criteria,
    faint_db,
    mean_threshold,
    threshold,
)
from robustaudio.listening.design.forced_choice import THREE_INTERVALS, TWO_INTERVALS
from robustaudio.listening.psychometric import fit

LEVELS = [-60.0] * 10 + [-40.0] * 10 + [-20.0] * 10


def found(lower: float | None, level: float, upper: float | None, sign="=") -> Threshold:
    return Threshold(sign, level, lower, upper)


@pytest.mark.parametrize("paradigm, at_one", [(TWO_INTERVALS, 0.760), (THREE_INTERVALS, 0.634)])
def test_a_d_prime_of_1_is_another_proportion_in_each_paradigm(paradigm, at_one):
    assert criteria(paradigm).d_prime_1 == pytest.approx(at_one, abs=5e-4)
    assert criteria(paradigm).correct_79 == pytest.approx(0.7937, abs=1e-4)


@pytest.mark.parametrize("hits, sign, at", [((10, 10, 10), "<=", -60), ((5, 5, 4), ">=", -20)])
def test_beyond_what_was_played_there_is_a_bound(hits, sign, at):
    posterior = fit(LEVELS, [n < k for k in hits for n in range(10)], 0.5)
    bound = threshold(posterior, 0.76, LEVELS)
    assert (bound.sign, bound.level_db) == (sign, at)
    assert (bound.lower_db is None) == (sign == "<=") and (bound.upper_db is None) == (sign == ">=")


def test_among_what_was_played_there_is_a_number_with_its_interval():
    posterior = fit(LEVELS, [n < k for k in (5, 8, 10) for n in range(10)], 0.5)
    inside = threshold(posterior, 0.76, LEVELS)
    assert inside.sign == "=" and inside.lower_db is not None and inside.upper_db is not None
    assert -60 < inside.lower_db < inside.level_db < inside.upper_db < -20
    narrow = threshold(posterior, 0.76, LEVELS, confidence=0.5)
    assert narrow.lower_db is not None and narrow.lower_db > inside.lower_db


def test_a_mean_is_taken_of_levels_in_db():
    mean = mean_threshold([found(-50, -42, -30), found(-41, -38, -36)])
    assert mean is not None and mean.level_db == -40 and mean.sign == "="
    alone = mean_threshold([found(-50, -42, -30)])
    assert alone == found(None, -42, None)


def test_a_bound_among_thresholds_is_a_bound_of_their_mean():
    number, floor, ceiling = (
        found(-44, -40, -36),
        found(None, -80, -70, "<="),
        found(-15, -10, None, ">="),
    )
    low, high = mean_threshold([number, floor]), mean_threshold([number, ceiling])
    assert low is not None and (low.sign, low.lower_db) == ("<=", None) and low.level_db == -60
    assert high is not None and (high.sign, high.upper_db) == (">=", None)
    assert mean_threshold([floor, ceiling]) is None


def test_far_from_what_was_played_nothing_bounds_a_threshold():
    """Eight answers at two levels: an interval that goes on beyond is the prior's word alone."""
    few = [-60.0] * 4 + [-50.0] * 4
    posterior = fit(few, [True, True, True, False] * 2, 0.5)
    level_db, lower_db, upper_db = posterior.level_at(0.66)
    assert lower_db < -70 and upper_db > -40
    assert threshold(posterior, 0.66, few) == found(None, level_db, None)
    assert faint_db(posterior, TWO_INTERVALS, few) is None


def test_hearing_begins_below_the_threshold():
    """At 60 % right of two intervals, 2.4 dB below the middle of a logistic spread of 1.75 dB."""
    posterior = fit(LEVELS, [n < k for k in (5, 8, 10) for n in range(10)], 0.5)
    begins = faint_db(posterior, TWO_INTERVALS, LEVELS)
    assert begins == posterior.level_at(proportion_at(0.36, TWO_INTERVALS)).lower
    assert proportion_at(0.36, TWO_INTERVALS) == pytest.approx(0.6, abs=1e-3)
    at_1 = threshold(posterior, criteria(TWO_INTERVALS).d_prime_1, LEVELS)
    assert begins is not None and at_1.lower_db is not None and begins < at_1.lower_db - 1
