"""What events say is checked as it is read: a value of another type or range is none."""

from dataclasses import asdict

import pytest
from listening.simulated import simulated_session
from listening.small_study import small_study

from robustaudio.listening.design.trial import to_record
from robustaudio.listening.run.store import Event
from robustaudio.listening.run.stored import (
    MOST_TRIALS,
    Checks,
    Start,
    answer_count,
    index,
    response,
)
from robustaudio.listening.simulated_listeners import Listener

PROCEDURE = small_study().procedure
ANSWER = to_record(simulated_session(PROCEDURE, Listener(-40.0), 0)[0])


def answered(number: int = 0, **changes) -> Event:
    return Event("abcd", "aaaa0001", "trial", number, ANSWER | changes)


def test_a_consent_without_a_seed_is_none_and_the_first_version_had_one():
    assert Start.read({"seed": 7}).check_seed == 7
    assert Start.read({"seed": 7, "check_seed": 8}).check_seed == 8
    for seed in (None, "7", True, 1.5):
        with pytest.raises(ValueError, match=f"seed {seed!r} must be a whole number"):
            Start.read({"seed": seed})


@pytest.mark.parametrize(
    "data",
    [{}, {"colour": 1}, {"gain_db": [1]}, {"gain_db": float("inf")}, {"score": -1}, {"passed": 1},
     {"unscreened": False}, {"device": "pigeon"}],
)  # fmt: skip
def test_a_check_says_what_was_found(data):
    with pytest.raises(ValueError, match="a check must say what was found"):
        Checks().after(data)


def test_checks_add_up_and_what_is_none_of_them_is_left_out():
    checks = Checks().after({"sample_rate": 48_000, "hour": "x"}).after({"gain_db": -20})
    assert asdict(checks) == asdict(Checks(sample_rate=48_000, gain_db=-20))
    attempt = Event("abcd", "aaaa0001", "screening", 2, {"score": 6, "passed": True})
    assert checks.after_attempt(attempt).attempts == 3 and checks.after_attempt(attempt).screened


def test_counts_and_indices_are_bounded():
    assert answer_count({}) == 0 and answer_count({"answers": MOST_TRIALS}) == MOST_TRIALS
    for answers in (-1, "many", MOST_TRIALS + 1, True):
        with pytest.raises(ValueError, match="must be a whole number"):
            answer_count({"answers": answers})
    with pytest.raises(ValueError, match="must be from 0 to 99999"):
        index(answered(MOST_TRIALS))


@pytest.mark.parametrize(
    "changes",
    [{"plays": -1}, {"switches": 1.5}, {"response_time_s": float("nan")}, {"hour": 3}],
)
def test_an_answer_is_one_to_a_question_of_the_study(changes):
    assert to_record(response(answered(), PROCEDURE)) == ANSWER
    with pytest.raises(ValueError, match="trial 0 is none of this study"):
        response(answered(**changes), PROCEDURE)
    with pytest.raises(ValueError, match="trial 0 is none of this study"):
        response(answered(1), PROCEDURE)  # the answer to another one
