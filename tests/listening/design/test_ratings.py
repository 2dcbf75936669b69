"""Rating pages: what is on them, in which order, and what is refused."""

from collections import Counter

import pytest
from listening.simulated import simulated_session

from robustaudio.listening.design.ratings import Impairment, Mushra
from robustaudio.listening.design.trial import Condition
from robustaudio.listening.simulated_listeners import Listener

TWO = (Condition("seven", "white"), Condition("seven", "masked"))
BOTH = [Mushra(TWO, repeats=3), Impairment(TWO, repeats=3)]


@pytest.mark.parametrize("procedure", BOTH, ids=["mushra", "impairment"])
def test_a_session_is_its_replay_and_as_long_as_expected(procedure):
    responses = simulated_session(procedure, Listener(-35), 7)
    assert len(responses) == procedure.expected_trials
    for number, response in enumerate(responses):
        assert procedure.next(responses[:number], 7) == response.trial
        assert response.trial.number == number and response.correct is None
        assert (response.trial.kind == "practice") == (number < procedure.practice)
    assert procedure.next(responses, 7) is None


def test_a_mushra_page_has_every_level_and_one_hidden_reference():
    trials = [r.trial for r in simulated_session(BOTH[0], Listener(-35), 0)]
    for trial in trials:
        levels = [level for level in trial.intervals if level is not None]
        assert sorted(levels) == list(BOTH[0].stimulus_levels_db)
        assert len(trial.intervals) == len(levels) + 1 and trial.level_db is None
    assert len({trial.intervals for trial in trials}) > 3


def test_an_impairment_is_beside_its_hidden_reference():
    trials = [r.trial for r in simulated_session(BOTH[1], Listener(-35), 0)]
    assert trials[0].level_db == -20  # practice begins with what is heard
    counts = Counter((t.condition, t.level_db) for t in trials if t.kind == "test")
    assert counts == {(c, level): 3 for c in TWO for level in (-50, -40, -30, -20)}
    assert {t.intervals.index(None) for t in trials} == {0, 1}


@pytest.mark.parametrize("procedure", BOTH, ids=["mushra", "impairment"])
def test_each_round_has_every_page_once(procedure):
    pages = [
        (r.trial.condition, r.trial.level_db)
        for r in simulated_session(procedure, Listener(-35), 1)
    ]
    pages, size = pages[procedure.practice :], (procedure.expected_trials - procedure.practice) // 3
    rounds = [pages[start : start + size] for start in range(0, len(pages), size)]
    assert all(len(set(one)) == size for one in rounds)


def test_a_louder_perturbation_is_graded_lower():
    for response in simulated_session(Mushra(TWO), Listener(-30, spread_db=4), 0):
        grades = dict(zip(response.trial.intervals, response.answer, strict=True))
        assert grades[None] > 80 > grades[-20.0] > grades[-10.0] - 15


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Mushra(TWO, levels_db=tuple(map(float, range(12)))), "more than the 12 items"),
        (lambda: Mushra(TWO, repeats=0), "repeats 0 must be a whole number of at least 1"),
        (lambda: Mushra(()), "must be one or more, each named once"),
        (lambda: Impairment(TWO, levels_db=(-10.0, -10.0)), "each once"),
        (lambda: Impairment(TWO, practice=-1), "practice -1 must be"),
    ],
)
def test_impossible_options_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
