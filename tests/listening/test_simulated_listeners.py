"""Simulated listeners answer as they are told to, and real procedures find their thresholds.

`benchmarks/listening.py` prints the same of a thousand listeners, and of other procedures.
"""

from math import inf

import numpy as np
import pytest
from listening.simulated import simulated_rows

from robustaudio.listening import ABX, Quest, Staircase
from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.analysis.thresholds import STAIRCASE_TARGET
from robustaudio.listening.design.forced_choice import Adaptive
from robustaudio.listening.design.study import PARADIGMS
from robustaudio.listening.design.trial import Condition, Trial
from robustaudio.listening.simulated_listeners import Listener, panel

COUNT = 100
ONE = (Condition("one", "white"),)


def errors(procedure: Adaptive, typical: Listener, seed: int = 0) -> tuple[np.ndarray, float]:
    """Of the thresholds at 79.4 %, and how often their interval holds the truth."""
    listeners = panel(COUNT, typical, between_db=8, seed=seed, spread_factor=1.5)
    (result,) = analyse(simulated_rows(procedure, listeners, seed)).results
    found, within = [], []
    for number, listener in enumerate(listeners):
        if fitted := result.listeners.get(f"simulated-{number}"):
            threshold = fitted.thresholds.correct_79
            truth = listener.level_at(STAIRCASE_TARGET, 1 / procedure.alternatives)
            found.append(threshold.level_db - truth)
            lower = -inf if threshold.lower_db is None else threshold.lower_db
            upper = inf if threshold.upper_db is None else threshold.upper_db
            within.append(lower <= truth <= upper)
    return np.array(found), float(np.mean(within))


@pytest.mark.parametrize("paradigm, alternatives", [("abx", 2), ("2afc", 2), ("3afc", 3)])
def test_a_listener_is_right_as_often_as_psi_says(paradigm, alternatives):
    listener, generator = Listener(-40, 2.2, 0.04), np.random.default_rng(0)
    for level, heard in ((-90.0, 0.0), (-40.0, 0.5), (-10.0, 1.0)):
        trial = Trial(0, "test", PARADIGMS[paradigm], ONE[0], (None, level), alternatives - 1)
        answers = [listener.answer(trial, generator) for _ in range(4_000)]
        guess = 1 / alternatives
        psi = guess + (1 - guess - 0.04) * heard
        assert np.mean([a == trial.right for a in answers]) == pytest.approx(psi, abs=0.025)
        assert set(answers) <= set(range(alternatives))


def test_the_level_of_a_proportion_is_where_it_is_right_so_often():
    listener = Listener(-40, 2.2, lapse_rate=0)
    assert listener.level_at(0.75, 0.5) == -40
    assert listener.level_at(0.875, 0.5) == pytest.approx(-40 + 2.2 * np.log(3))


def test_a_panel_varies_as_it_is_told_to():
    listeners = panel(4_000, Listener(-45, 2.0, 0.03), between_db=6, seed=0, spread_factor=1.5)
    thresholds = [one.threshold_db for one in listeners]
    assert np.mean(thresholds) == pytest.approx(-45, abs=0.4)
    assert np.std(thresholds) == pytest.approx(6, abs=0.3)
    spreads = np.log([one.spread_db for one in listeners])
    assert np.std(spreads) == pytest.approx(np.log(1.5), abs=0.02)
    assert {one.lapse_rate for one in listeners} == {0.03}


def test_a_simulation_is_repeated_by_its_seed():
    procedure, listeners = ABX(ONE), panel(3, Listener(-40), 4, 0)
    rows = simulated_rows(procedure, listeners, 5)
    assert (
        rows == simulated_rows(procedure, listeners, 5) != simulated_rows(procedure, listeners, 6)
    )
    assert {row.listener for row in rows} == {"simulated-0", "simulated-1", "simulated-2"}


@pytest.mark.parametrize(
    "procedure, bias, deviation",
    [
        (Quest(ONE), 0.5, 1.9),
        (Staircase(ONE), 0.5, 2.4),
        (Quest(ONE, alternatives=3), 0.5, 1.8),
        (Staircase(ONE, down=1, up=3), 0.6, 2.8),
    ],
    ids=["quest", "3-down-1-up", "3 intervals", "weighted"],
)
def test_thresholds_are_recovered_with_their_uncertainty(procedure, bias, deviation):
    found, within = errors(procedure, Listener(-45))
    assert abs(found.mean()) < bias and found.std(ddof=1) < deviation
    assert within > 0.9


def test_one_up_one_down_would_have_been_a_random_walk():
    """What is refused, and why: on two alternatives half of the answers are right by guessing."""
    staircase = Staircase(ONE, alternatives=3, down=1)
    object.__setattr__(staircase, "alternatives", 2)
    rows = simulated_rows(staircase, panel(60, Listener(-45), 0, 0), 0)
    last = [rows[n - 1].level_db for n in range(1, len(rows)) if rows[n].trial == 0]
    assert np.mean(last) < -50 and np.std(last) > 6
