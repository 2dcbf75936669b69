"""Forced choices: what holds for every session, then known sequences, then what is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening.simulated import simulated_session

from robustaudio.listening.design.forced_choice import Adaptive, ForcedChoice
from robustaudio.listening.design.procedures import ABX, Quest, Staircase
from robustaudio.listening.design.trial import Condition, Response, from_record, to_record
from robustaudio.listening.psychometric import proportion_correct
from robustaudio.listening.simulated_listeners import HOW, Listener

TWO = (Condition("seven", "white"), Condition("seven", "masked"))
ONE = (Condition("one", "white"),)
SHORT = [
    ABX(TWO, levels_db=(-50.0, -30.0), trials=8),
    Quest(TWO, trials=12),
    Quest(ONE, alternatives=3, trials=15, catch_every=4),
    Staircase(TWO, reversals=6),
    Staircase(ONE, down=1, up=3, alternatives=3, practice=0, catch_every=0),
]


def sessions(count: int = 6):
    """Every procedure with listeners that hear much, some and nothing."""
    for procedure in SHORT:
        for seed in range(count):
            yield (
                procedure,
                seed,
                simulated_session(procedure, Listener((-90, -45, 0)[seed % 3]), seed),
            )


def asked(responses: list[Response]) -> list[Response]:
    return [r for r in responses if r.trial.kind == "test"]


def answered(procedure: ForcedChoice, right: list[bool], seed: int = 0) -> list[Response]:
    """A session of so many answers, right or wrong as said; catches and practice are right."""
    responses, answers = [], iter(right)
    while trial := procedure.next(responses, seed):
        correct = next(answers, None) if trial.kind == "test" else True
        if correct is None:
            break
        assert trial.right is not None
        answer = trial.right if correct else 1 - min(trial.right, 1)
        responses.append(Response(trial, answer, **HOW))
    return responses


# --- every session -------------------------------------------------------------------------------


def test_a_session_is_its_replay():
    for procedure, seed, responses in sessions():
        stored = [from_record(to_record(response), procedure) for response in responses]
        for number, response in enumerate(stored):
            assert procedure.next(stored[:number], seed) == response.trial
        assert procedure.next(stored, seed) is None
        assert replace(procedure).next(stored[:-1], seed) == stored[-1].trial


def test_one_track_is_asked_for_its_level():
    asked_of = []

    class Counting(Quest):
        def ask(self, track, outcomes):
            asked_of.append(track)
            return super().ask(track, outcomes)

    procedure = Counting(
        tuple(Condition(name, "white") for name in "abcdefgh"), trials=3, practice=0, catch_every=0
    )
    responses = answered(procedure, [True] * 24)
    assert len(responses) == 24
    assert asked_of == [(response.trial.condition, None) for response in responses]


def test_another_seed_is_another_session():
    for procedure in SHORT:
        keys = {
            tuple(r.trial.right for r in simulated_session(procedure, Listener(-90), s))
            for s in range(5)
        }
        assert len(keys) == 5


def test_trials_are_numbered_and_practice_comes_first():
    for procedure, _, responses in sessions():
        trials = [response.trial for response in responses]
        assert [trial.number for trial in trials] == list(range(len(trials)))
        assert all((t.kind == "practice") == (t.number < procedure.practice) for t in trials)
        assert all(t.level_db == procedure.audible_db for t in trials if t.kind != "test")


def test_one_trial_of_each_block_is_a_catch():
    for procedure, _, responses in sessions():
        kinds = [r.trial.kind for r in responses[procedure.practice :]]
        every = procedure.block
        assert every <= procedure.catch_every
        if not every:
            assert set(kinds) == {"test"}
            continue
        for start in range(0, len(kinds) - every + 1, every):
            assert kinds[start : start + every].count("catch") == 1
        assert kinds[-1] == "test"


def test_the_place_of_a_catch_cannot_be_told():
    places = Counter()
    for seed in range(60):
        kinds = [
            r.trial.kind for r in simulated_session(ABX(TWO, catch_every=5), Listener(-90), seed)
        ]
        places += Counter((n - 4) % 5 for n, kind in enumerate(kinds) if kind == "catch")
    assert min(places.values()) > sum(places.values()) / 5 / 2


def test_levels_are_those_that_were_rendered():
    for procedure, _, responses in sessions():
        levels = procedure.stimulus_levels_db
        assert list(levels) == sorted(set(levels))
        assert {r.trial.level_db for r in responses} <= set(levels)


def test_intervals_hold_the_perturbation_where_the_key_says():
    for procedure, _, responses in sessions():
        for trial in (response.trial for response in responses):
            level, intervals = trial.level_db, trial.intervals
            if trial.paradigm.name == "abx":
                assert intervals == (None, level, (None, level)[trial.right])
            else:
                assert len(intervals) == procedure.alternatives
                assert [n for n, x in enumerate(intervals) if x is not None] == [trial.right]


def test_the_right_interval_is_balanced_within_a_condition():
    for procedure, _, responses in sessions():
        if not isinstance(procedure, Adaptive):
            continue
        for condition in procedure.conditions:
            rights = [r.trial.right for r in asked(responses) if r.trial.condition == condition]
            size = 2 * procedure.alternatives
            for start in range(0, len(rights) - size + 1, size):
                counts = Counter(rights[start : start + size])
                assert counts == dict.fromkeys(range(procedure.alternatives), 2)


def test_conditions_are_taken_in_turn():
    for procedure, _, responses in sessions():
        if len(procedure.tracks) > 1:
            trials = [response.trial for response in asked(responses)]
            order = [(t.condition, t.level_db) for t in trials]
            if isinstance(procedure, Adaptive):
                order = [(t.condition, None) for t in trials]
            together = min(Counter(order).values()) * len(procedure.tracks)
            for start in range(0, together - 3, len(procedure.tracks)):
                round_ = order[start : start + len(procedure.tracks)]
                assert len(set(round_)) == len(round_)


def test_the_order_of_conditions_is_not_always_the_same():
    first = [simulated_session(ABX(TWO, practice=0), Listener(-90), seed)[0] for seed in range(10)]
    assert {r.trial.condition for r in first} == set(TWO)


def test_expected_trials_are_about_right():
    for procedure in (ABX(TWO), Quest(TWO), Staircase(TWO)):
        lengths = [len(simulated_session(procedure, Listener(-45), seed)) for seed in range(8)]
        tolerance = 1 if not isinstance(procedure, Staircase) else 25
        assert np.mean(lengths) == pytest.approx(procedure.expected_trials, abs=tolerance)


def test_responses_of_another_procedure_are_refused():
    responses = simulated_session(ABX(TWO), Listener(-45), 0)
    for other in (ABX((Condition("else", "white"),)), ABX(TWO, levels_db=(-30.0,)), Quest(TWO)):
        with pytest.raises(ValueError, match="not of this procedure"):
            other.next(responses, 0)


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
        (lambda: Quest(TWO, alternatives=4), "alternatives 4 must be 2 or 3"),
        (lambda: Quest(TWO, trials=0), "trials 0 must be a whole number of at least 1"),
        (lambda: Quest(TWO, trials=1.5), "trials 1.5 must be a whole number"),  # type: ignore[arg-type]
        (lambda: Quest(TWO, expected_db=0), "expected_db 0 must lie between min_db -80.0 and"),
        (lambda: Quest(TWO, deviation_db=0), "deviation_db 0 must be above 0"),
        (lambda: Quest(TWO, step_db=0), "step_db 0 must be at least 0.25"),
        (
            lambda: Quest(TWO, step_db=0.25, min_db=-90.0),
            "step_db 0.25 makes 321 levels from min_db",
        ),
        (lambda: Quest(TWO, min_db=-11), "min_db -11 must be at most -14"),
        (lambda: Quest(TWO, min_db=-np.inf), "min_db -inf must be"),
        (lambda: Quest(()), "must be one or more, each named once"),
        (lambda: ABX((TWO[0], TWO[0])), "each named once"),
        (lambda: ABX(TWO, levels_db=()), r"levels_db \(\) must be one or more levels"),
        (lambda: ABX(TWO, levels_db=(np.nan,)), "levels_db"),
        (lambda: ABX(TWO, catch_every=1), "leaves no trial to test"),
        (lambda: ABX(TWO, practice=-1), "practice -1 must be a whole number of at least 0"),
        (lambda: ABX(TWO, audible_db=np.nan), "audible_db nan must be a level"),
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
