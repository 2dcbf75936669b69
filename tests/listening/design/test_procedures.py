"""Procedures: known sequences, then what is refused."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening.design.sessions import ONE, SHORT, TWO, answered, asked
from listening.simulated import simulated_session

from robustaudio.listening.design.procedures import ABX, Quest, Staircase
from robustaudio.listening.design.trial import Response
from robustaudio.listening.psychometric import proportion_correct
from robustaudio.listening.simulated_listeners import HOW, Listener

# --- ABX -----------------------------------------------------------------------------------------


def test_abx_asks_each_condition_and_level_so_often():
    counts = Counter(
        (r.trial.condition, r.trial.level_db)
        for r in asked(simulated_session(SHORT[0], Listener(-45), 3))
    )
    assert counts == {(c, level): 8 for c in TWO for level in (-50, -30)}


@pytest.mark.parametrize("habit", [lambda n, g: n % 2, lambda n, g: 0, lambda n, g: g.integers(2)])
def test_no_habit_of_guessing_makes_abx_significant_too_often(habit):
    """12 of 16 by chance: .038 for every habit. Balanced keys gave .07 to .09 to who alternates."""
    generator, passed, count = np.random.default_rng(0), 0, 1_500
    procedure = ABX(ONE, practice=0, catch_every=0)
    for seed in range(count):
        responses: list[Response] = []
        while trial := procedure.next(responses, seed):
            responses.append(Response(trial, int(habit(trial.number, generator)), **HOW))
        passed += sum(bool(r.correct) for r in responses) >= 12
    assert passed / count == pytest.approx(0.0384, abs=3 * (0.0384 / count) ** 0.5)


# --- staircases ----------------------------------------------------------------------------------

GRID = {"practice": 0, "catch_every": 0}


def levels_of(procedure: Staircase, answers: str) -> list[float | None]:
    return [r.trial.level_db for r in answered(procedure, [a == "+" for a in answers])]


def test_three_down_one_up_by_hand():
    """Down by 8 at each right answer until the first wrong one; then 3 right, and 4, 2 dB."""
    procedure = Staircase(ONE, **GRID)
    levels = levels_of(procedure, "++x+++x+++++x+")
    assert levels == [-10, -18, -26, -22, -22, -22, -24, -22, -22, -22, -24, -24, -24, -22]
    assert procedure.walk([a == "+" for a in "++x+++x+++++x"]) == (-22, 5)


def test_weighted_up_down_by_hand():
    """Kaernbach 1991: up is three times down, so that 75 % right stands still."""
    procedure = Staircase(ONE, down=1, up=3, steps=(1,), **GRID)
    assert levels_of(procedure, "++++x+++x+") == [-10, -12, -14, -16, -18, -12, -14, -16, -18, -12]


@pytest.mark.parametrize(
    "down, up, target", [(2, 1, 0.7071), (3, 1, 0.7937), (4, 1, 0.8409), (1, 3, 0.75), (1, 4, 0.8)]
)
def test_where_a_staircase_settles(down, up, target):
    """Levitt 1971, table I; Kaernbach 1991. It holds for steps that are small beside the spread."""
    procedure = Staircase(
        ONE, down=down, up=up, steps=(1,), step_db=0.75, min_db=-110.0, audible_db=-10.0,
        reversals=1_000, max_trials=1_000,
    )  # fmt: skip
    assert procedure.target == pytest.approx(target, abs=1e-4)
    generator, proportions = np.random.default_rng(0), []
    for _ in range(8):
        answers: list[bool] = []
        for _ in range(600):
            psi = proportion_correct(procedure.walk(answers)[0], -30, 6, 0.5, 0)
            answers.append(bool(generator.random() < psi))
            proportions.append(psi if len(answers) > 200 else np.nan)
    assert np.nanmean(proportions) == pytest.approx(target, abs=0.012)


def test_a_staircase_ends_after_its_reversals_or_its_trials():
    ends = [len(asked(simulated_session(Staircase(ONE), Listener(m), 0))) for m in (-45, -200)]
    assert ends[0] < 100 and ends[1] == 100
    softest = simulated_session(Staircase(ONE), Listener(-200, lapse_rate=0), 0)[-1]
    assert softest.trial.level_db == -80


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: Staircase(TWO, down=1),
            "down 1 and up 1 settle at 50 % correct, which is chance for 2",
        ),
        (lambda: Staircase(TWO, steps=()), r"steps \(\) must be whole numbers"),
        (lambda: Staircase(TWO, steps=(2, 0)), r"steps \(2, 0\) must be whole numbers"),
        (
            lambda: Staircase(TWO, max_trials=5),
            "max_trials 5 must be .* at least 12",
        ),
        (lambda: Quest(TWO, expected_db=0), "expected_db 0 must lie between min_db -80.0 and"),
        (lambda: Quest(TWO, deviation_db=0), "deviation_db 0 must be above 0"),
    ],
)
def test_impossible_options_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_up_one_down_is_possible_on_three_alternatives():
    assert Staircase(TWO, down=1, alternatives=3).target == 0.5


@given(seed=st.integers(0, 2**63 - 1))
def test_any_seed_makes_a_session(seed):
    assert simulated_session(ABX(ONE, trials=2), Listener(-45), seed)
