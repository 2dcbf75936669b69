"""What holds for every session of forced choices."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from listening.design.sessions import SHORT, TWO, answered, asked, sessions
from listening.simulated import simulated_session

from robustaudio.listening.design.forced_choice import Adaptive
from robustaudio.listening.design.procedures import ABX, Quest, Staircase
from robustaudio.listening.design.trial import Condition, from_record, to_record
from robustaudio.listening.simulated_listeners import Listener


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


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Quest(TWO, alternatives=4), "alternatives 4 must be 2 or 3"),
        (lambda: Quest(TWO, step_db=0), "step_db 0 must be at least 0.25"),
        (
            lambda: Quest(TWO, step_db=0.25, min_db=-90.0),
            "step_db 0.25 makes 321 levels from min_db",
        ),
        (lambda: Quest(TWO, min_db=-11), "min_db -11 must be at most -14"),
        (lambda: ABX(TWO, catch_every=1), "leaves no trial to test"),
    ],
)
def test_impossible_options_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
