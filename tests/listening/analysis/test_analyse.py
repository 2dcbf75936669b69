"""A study's rows become one record: who counts, what each heard, and what may be said of all."""

import json
from dataclasses import replace

import numpy as np
import pytest
from listening.simulated import simulated_rows

from robustaudio.listening import ABX, Impairment, Mushra, Quest, Staircase
from robustaudio.listening.analysis.analyse import INAUDIBLE_BELOW, analyse
from robustaudio.listening.analysis.statistics import p_value
from robustaudio.listening.design.forced_choice import TWO_INTERVALS
from robustaudio.listening.design.procedures import MATCH_TO_SAMPLE
from robustaudio.listening.design.trial import Condition, Row
from robustaudio.listening.simulated_listeners import Listener, panel

A, B, C, D = (Condition(name, "white") for name in "abcd")
PROCEDURES = [
    ABX((A, B), levels_db=(-60.0, -30.0)),
    Quest((A, B), trials=15),
    Staircase((A,), alternatives=3),
    Mushra((A, B)),
    Impairment((A,)),
]
NAMES = ["abx", "quest", "staircase", "mushra", "impairment"]


def abx_rows(listener: str, correct: int, trials: int, condition: Condition = A) -> list[Row]:
    """A session whose first `correct` answers are right."""
    return [
        Row(listener, n, "test", MATCH_TO_SAMPLE, condition, -40.0, 0, n < correct)
        for n in range(trials)
    ]


def constant_rows(correct: bool, levels: list[float], listener: str = "l") -> list[Row]:
    """2AFC answers that are all right, or all wrong, at levels."""
    return [
        Row(listener, n, "test", TWO_INTERVALS, A, level, 0, correct)
        for n, level in enumerate(levels)
    ]


# --- the record ----------------------------------------------------------------------------------


@pytest.mark.parametrize("procedure", PROCEDURES, ids=NAMES)
def test_a_record_is_plain_json_and_rows_may_come_as_the_answers_did(procedure):
    rows = simulated_rows(procedure, panel(3, Listener(-45), 4, 0), 0)
    analysis = analyse(rows)
    record = analysis.to_json()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["listeners"] == 3 and record["excluded"] == {}
    assert analyse(sorted(rows, key=lambda row: row.trial)) == analysis


@pytest.mark.parametrize("procedure", PROCEDURES, ids=NAMES)
def test_practice_is_not_counted(procedure):
    rows = simulated_rows(procedure, panel(2, Listener(-45), 4, 0), 0)
    assert any(row.kind == "practice" for row in rows)
    assert analyse(rows) == analyse([row for row in rows if row.kind != "practice"])


def test_there_is_one_result_per_condition_and_level():
    rows = simulated_rows(PROCEDURES[0], panel(2, Listener(-45), 4, 0), 0)
    found = [(r.condition, r.level_db) for r in analyse(rows).results]
    assert found == [(A, -60), (A, -30), (B, -60), (B, -30)]


def test_nothing_answered_is_an_empty_record():
    assert analyse([]).results == () and analyse([]).listeners == 0


# --- who counts ----------------------------------------------------------------------------------


def test_an_inattentive_listener_is_left_out_with_the_reason():
    attentive, absent = Listener(-45, lapse_rate=0), Listener(-45, lapse_rate=0.5)
    rows = simulated_rows(Quest((A, B)), [attentive, attentive, absent], 4)
    record = analyse(rows)
    assert list(record.excluded) == ["simulated-2"] and record.listeners == 3
    assert "catch trials" in record.excluded["simulated-2"]
    assert record.results[0].count == 2


@pytest.mark.parametrize("procedure", [ABX((A,)), ABX((A,), trials=8), Quest((A,), trials=12)])
def test_a_short_test_has_enough_catches_to_find_who_guesses(procedure):
    guessing = analyse(simulated_rows(procedure, [Listener(99.0)] * 100, 0))
    assert len(guessing.excluded) >= 50
    attending = analyse(simulated_rows(procedure, [Listener(-99.0, lapse_rate=0)] * 100, 0))
    assert not attending.excluded


def test_who_hears_no_anchor_in_mushra_is_left_out():
    rows = simulated_rows(Mushra((A, B, C, D)), panel(2, Listener(-35), 2, 0), 0)
    rows = [replace(row, answer=100.0) if row.listener == "simulated-0" else row for row in rows]
    assert list(analyse(rows).excluded) == ["simulated-0"]


def test_who_cannot_tell_the_impaired_from_the_clean_is_left_out():
    rows = simulated_rows(Impairment((A, B)), panel(3, Listener(-35), 2, 0), 0)
    assert analyse(rows).excluded == {}
    for place, row in enumerate(rows):
        if row.listener == "simulated-0":
            rows[place] = replace(row, answer=5.0 if row.level_db is not None else 4.0)
        elif row.listener == "simulated-1":
            rows[place] = replace(row, answer=5.0)
    excluded = analyse(rows).excluded
    assert list(excluded) == ["simulated-0", "simulated-1"]
    assert "no better than the perturbed one in 16 pages" in excluded["simulated-0"]


def test_one_bad_hidden_reference_excludes_nobody():
    rows = simulated_rows(Mushra((A, B, C, D)), panel(2, Listener(-35), 2, 0), 0)
    hidden = [n for n, row in enumerate(rows) if row.level_db is None and row.kind == "test"]
    mine = [n for n in hidden if rows[n].listener == "simulated-0"]
    for n in hidden:
        rows[n] = replace(rows[n], answer=100.0)
    rows[mine[0]] = replace(rows[mine[0]], answer=20.0)
    assert analyse(rows).excluded == {}
    rows[mine[1]] = replace(rows[mine[1]], answer=89.0)
    assert list(analyse(rows).excluded) == ["simulated-0"]


# --- ABX -----------------------------------------------------------------------------------------


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


# --- thresholds ----------------------------------------------------------------------------------


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


# --- ratings -------------------------------------------------------------------------------------


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
