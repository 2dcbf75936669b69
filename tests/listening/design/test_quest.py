"""QUEST+: the trials that Watson printed, and what information must be."""

import time

import numpy as np
import pytest
from listening.simulated import simulated_session

from robustaudio.listening.design import quest
from robustaudio.listening.design.procedures import Quest
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.simulated_listeners import Listener

ONE = (Condition("one", "white"),)
# Watson 2017, "Estimation of contrast threshold {1, 1, 2}": contrasts in dB and answers
CONTRASTS = [
    -18, -22, -25, -28, -30, -22, -13, -15, -16, -18, -19, -20, -21, -22, -23, -19,
    -20, -20, -18, -18, -19, -17, -17, -18, -18, -18, -19, -19, -19, -19, -19, -19,
]  # fmt: skip
WRONG = (4, 5, 14, 17, 20)
# and "Implementation", with four slopes
TWO_PARAMETERS = [
    -18, -22, -12, -13, -15, -16, -17, -18, -19, -21, -24, -25, -26, -27, -21, -22, -23, -20, -20,
    -20, -21, -19, -19, -20, -20, -20, -19, -19, -19, -19, -19, -20,
]  # fmt: skip
TWO_WRONG = (1, 13, 16, 20, 25)


def weibull(slopes: list[float]) -> quest.Table:
    """Watson's example: a Weibull function on dB, guess rate 1/2, lapse rate .02, flat prior."""
    contrasts = np.arange(-40.0, 1)
    threshold, slope = (a.ravel() for a in np.meshgrid(contrasts, slopes, indexing="ij"))
    growth = 10 ** (slope * (contrasts[:, None] - threshold) / 20)
    psi = 0.98 - (0.98 - 0.5) * np.exp(-growth)
    return quest.Table(contrasts, np.full(len(threshold), 1 / len(threshold)), psi)


@pytest.mark.parametrize(
    "slopes, printed, wrong",
    [([3.5], CONTRASTS, WRONG), ([2, 3, 4, 5], TWO_PARAMETERS, TWO_WRONG)],
)
def test_the_trials_that_watson_printed(slopes, printed, wrong):
    table = weibull(slopes)
    correct = [n not in wrong for n in range(len(printed))]
    for number, contrast in enumerate(printed):
        weights = quest.posterior(table, printed[:number], correct[:number])
        assert table.levels_db[np.argmax(quest.information(table, weights))] == contrast
    thresholds = np.repeat(table.levels_db, len(slopes))
    weights = quest.posterior(table, printed, correct)
    assert thresholds[np.argmax(weights)] == pytest.approx(-20, abs=1)


def test_information_is_the_expected_fall_of_entropy():
    """By its definition: the entropy now, less its mean over both answers (Watson's eq. 11)."""
    table = quest.table(Quest(ONE).stimulus_levels_db, 0.5, 2.0, (-45.0, 12.0))
    levels, correct = [-40.0, -48.0, -30.0], [True, False, True]
    weights = quest.posterior(table, levels, correct)

    def entropy(w):
        return -np.sum(w * np.log(w + 1e-300))

    told = quest.information(table, weights)
    for at in (0, 15, 20, 35):
        level = float(table.levels_db[at])
        right = float(table.psi[at] @ weights)
        after = [entropy(quest.posterior(table, [*levels, level], [*correct, a])) for a in (1, 0)]
        expected = entropy(weights) - right * after[0] - (1 - right) * after[1]
        assert told[at] == pytest.approx(expected, abs=1e-9)
    assert (told >= -1e-12).all() and (told <= np.log(2)).all()


def test_the_order_of_answers_changes_nothing():
    table = quest.table(Quest(ONE).stimulus_levels_db, 0.5, 2.0, (-45.0, 12.0))
    levels, correct = [-40.0, -48.0, -30.0, -40.0], [True, False, True, False]
    there = quest.posterior(table, levels, correct)
    back = quest.posterior(table, levels[::-1], correct[::-1])
    assert np.allclose(there, back) and there.sum() == pytest.approx(1)


def test_a_trial_takes_less_than_5_ms_of_the_processor():
    procedure = Quest(("a", "b", "c", "d"), trials=10)
    simulated_session(procedure, Listener(-45), 0)
    started = time.process_time()
    trials = len(simulated_session(procedure, Listener(-45), 1))
    assert (time.process_time() - started) / trials < 0.005


def test_quest_goes_where_the_threshold_is():
    for truth in (-65, -45, -25):
        levels = [r.trial.level_db for r in simulated_session(Quest(ONE), Listener(truth), 3)]
        assert np.median(levels[-10:]) == pytest.approx(truth, abs=6)
