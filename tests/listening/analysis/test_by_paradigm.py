"""What each paradigm makes of the answers: scores, thresholds, grades."""

import numpy as np
import pytest
from listening.analysis.rows import PROCEDURES, A, B, C, D, abx_rows, constant_rows
from listening.simulated import simulated_rows

from robustaudio.listening import Quest
from robustaudio.listening.analysis.analyse import INAUDIBLE_BELOW, analyse
from robustaudio.listening.analysis.statistics import p_value
from robustaudio.listening.simulated_listeners import Listener, panel


def test_12_of_16_is_heard_and_2_of_10_is_not():
    (result,) = analyse(abx_rows("good", 12, 16) + abx_rows("bad", 2, 10)).results
    good, bad = result.listeners["good"], result.listeners["bad"]
    assert good.p == pytest.approx(0.0384, abs=1e-4) and good.verdict == "heard"
    assert bad.p > 0.9 and bad.verdict != "heard" and bad.d_prime == 0


def test_half_of_16_is_undecided_and_half_of_100_is_inaudible():
    (result,) = analyse(abx_rows("few", 8, 16) + abx_rows("many", 50, 100)).results
    few, many = result.listeners["few"], result.listeners["many"]
    assert few.verdict == "undecided" and "at most 72 % right" in few.statement
    assert many.verdict == "inaudible" and "less than the 60 %" in many.statement
    loose = analyse(abx_rows("few", 8, 16), inaudible_below=0.75).results[0]
    assert loose.listeners["few"].verdict == "inaudible"
    assert INAUDIBLE_BELOW == 0.6


def test_nothing_is_inaudible_that_one_of_the_group_hears():
    guessers = [row for n in range(29) for row in abx_rows(f"g{n}", 8, 16)]
    (result,) = analyse(guessers).results
    assert result.group.verdict == "inaudible"
    (result,) = analyse(guessers + abx_rows("bat", 16, 16)).results
    assert result.group.verdict == "heard by some"
    assert result.group.statement.startswith("Heard by 1 of 30 listeners")
    lucky = guessers + abx_rows("lucky", 12, 16)  # one of 30 who guess is
    assert analyse(lucky).results[0].group.verdict == "inaudible"


def test_what_all_hear_is_heard_and_not_only_by_some():
    rows = [row for n in range(6) for row in abx_rows(f"l{n}", 15 + n % 2, 16)]
    assert analyse(rows).results[0].group.verdict == "heard"


def test_inaudible_is_claimed_of_all_conditions_together():
    alone, many = (
        abx_rows("l", 50, 100),
        [abx_rows("l", 50, 100, condition) for condition in (A, B, C, D)],
    )
    assert analyse(alone).results[0].group.verdict == "inaudible"
    results = analyse([row for rows in many for row in rows]).results
    assert {result.group.verdict for result in results} == {"undecided"}


def test_worse_than_guessing_is_not_inaudible():
    (result,) = analyse(abx_rows("swapped", 0, 6)).results
    assert result.group.verdict == "below chance"
    assert "were answers swapped?" in result.group.statement


def test_holm_is_over_the_conditions_of_each_listener_and_of_the_group():
    rows = [
        *abx_rows("l", 12, 16, A), *abx_rows("l", 14, 16, B), *abx_rows("l", 8, 16, C),
        *abx_rows("m", 12, 16, A),
    ]  # fmt: skip
    a, b, c = analyse(rows).results
    assert b.listeners["l"].p_holm == pytest.approx(3 * p_value(14, 16))
    assert a.listeners["l"].p_holm == pytest.approx(2 * p_value(12, 16))
    assert a.listeners["l"].verdict == "undecided"
    assert a.listeners["m"].p_holm == pytest.approx(p_value(12, 16))
    assert b.group.p_holm == pytest.approx(3 * p_value(14, 16))
    assert c.group.p_holm >= c.group.p


def test_thresholds_of_listeners_and_of_the_group():
    listeners = panel(6, Listener(-45, lapse_rate=0), between_db=5, seed=1)
    (result,) = analyse(simulated_rows(Quest((A,)), listeners, 3)).results
    found = []
    for number, listener in enumerate(listeners):
        fitted = result.listeners[f"simulated-{number}"]
        one, other = fitted.thresholds.d_prime_1, fitted.thresholds.correct_79
        assert one.sign == "=" and one.lower_db < one.level_db < one.upper_db
        assert one.level_db < other.level_db == pytest.approx(listener.level_at(0.7937, 0.5), abs=5)
        assert fitted.trials == 40
        found.append(one.level_db)
    group = result.group.thresholds.d_prime_1
    assert group.level_db == pytest.approx(np.mean(found))
    reach = 2.5706 * np.std(found, ddof=1) / 6**0.5  # t of 5 degrees
    assert group.upper_db - group.level_db == pytest.approx(reach, rel=1e-4)


def test_points_and_curve_of_a_condition():
    (result,) = analyse(simulated_rows(Quest((A,)), panel(3, Listener(-45), 4, 0), 0)).results
    group = result.group
    assert sum(at.trials for at in group.points) == pytest.approx(3 * 44, abs=3)  # catches
    assert all(0 <= at.correct <= at.trials for at in group.points)
    curve = [at.correct for at in group.curve]
    assert curve == sorted(curve) and 0.5 < curve[0] < 0.65 and curve[-1] > 0.9


def test_who_hears_everything_has_a_bound_and_no_number():
    levels = [-80.0] * 30 + [-10.0] * 4
    (result,) = analyse(constant_rows(True, levels)).results
    found = result.listeners["l"].thresholds.d_prime_1
    assert found.sign == "<=" and found.level_db == -80 and found.lower_db is None
    (result,) = analyse(constant_rows(False, levels)).results
    found = result.listeners["l"].thresholds.d_prime_1
    assert found.sign == ">=" and found.level_db == -10 and found.upper_db is None


def test_a_bound_makes_the_mean_a_bound_and_two_kinds_make_none():
    levels = [-80.0] * 30 + [-10.0] * 4
    all_heard, none_heard = constant_rows(True, levels), constant_rows(False, levels, "deaf")
    some = simulated_rows(Quest((A,)), [Listener(-45, lapse_rate=0)], 0)
    (result,) = analyse(all_heard + some).results
    mean = result.group.thresholds.d_prime_1
    assert mean.sign == "<=" and mean.lower_db is None and mean.upper_db is not None
    (result,) = analyse(all_heard + none_heard).results
    assert result.group.thresholds.d_prime_1 is None


def test_grades_fall_with_the_level():
    record = analyse(simulated_rows(PROCEDURES[3], panel(5, Listener(-30, 5.0), 2, 0), 0))
    means = {r.level_db: r.group.mean for r in record.results if r.condition == A}
    assert means[None] > 90 > means[-30] > means[-20] > means[-10]
    assert set(means) == {None, -50, -40, -30, -20, -10}


def test_impairments_are_differences_of_grades():
    record = analyse(simulated_rows(PROCEDURES[4], panel(6, Listener(-30, 4.0), 2, 0), 0))
    results = {r.level_db: r for r in record.results}
    assert results[-20].group.mean < -2 and results[-20].group.p_holm < 0.01
    assert results[-50].group.mean == pytest.approx(0, abs=0.3)
    assert results[-50].group.p_holm >= results[-50].group.p
