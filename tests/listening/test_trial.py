"""The two records: what a trial keeps to itself, what a response may be, and the way to disk."""

import json
import math

import pytest

from robustaudio.listening.design.trial import Response, Trial, from_record, to_record, to_rows

ABX = Trial(4, "test", "abx", "seven/white", (None, -30.0, -30.0), 1)
PAGE = Trial(1, "test", "mushra", "seven/white", (-20.0, None, -40.0), None)
HOW = {"response_time_s": 1.5, "plays": 3, "switches": 2, "hour": "2026-11-25T22Z"}


def respond(trial: Trial, answer) -> Response:
    return Response(trial, answer, **HOW)


def test_the_level_of_a_trial_is_that_of_its_perturbed_intervals():
    assert ABX.level_db == -30
    assert Trial(0, "catch", "3afc", "c", (None, None, -10.0), 2).level_db == -10
    assert PAGE.level_db is None


def test_an_answer_is_right_or_wrong_and_a_grade_neither():
    assert respond(ABX, 1).correct is True
    assert respond(ABX, 0).correct is False
    assert respond(PAGE, (50.0, 100.0, 90.0)).correct is None


@pytest.mark.parametrize("response", [respond(ABX, 0), respond(PAGE, (50.0, 100.0, 90.0))])
def test_a_response_survives_json(response):
    assert from_record(json.loads(json.dumps(to_record(response)))) == response


@pytest.mark.parametrize("answer", [2, -1, True, 1.0, "1", None, (1.0,)])
def test_a_forced_choice_refuses_what_it_does_not_offer(answer):
    with pytest.raises(ValueError, match="whole number from 0 to 1"):
        respond(ABX, answer)


def test_ratings_are_one_per_interval_and_on_the_scale():
    with pytest.raises(ValueError, match="must be 3 grades, one per interval"):
        respond(PAGE, (50.0, 100.0))
    for grade in (101.0, -1.0, math.nan, "50", True):
        with pytest.raises(ValueError, match="between 0 and 100"):
            respond(PAGE, (50.0, 100.0, grade))
    with pytest.raises(ValueError, match="between 1 and 5"):
        respond(Trial(0, "test", "impairment", "c", (None, -20.0), None), (5.0, 0.0))


@pytest.mark.parametrize("record", [{}, {"trial": 3}, {**to_record(respond(ABX, 0)), "iq": 1}])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(ValueError, match="not the record of a response"):
        from_record(record)


def test_rows_are_tidy():
    (row,) = to_rows(respond(ABX, 0))
    assert row["level_db"] == -30 and row["correct"] is False and row["paradigm"] == "abx"
    rows = to_rows(respond(PAGE, (50.0, 100.0, 90.0)))
    assert [(r["level_db"], r["answer"]) for r in rows] == [(-20, 50), (None, 100), (-40, 90)]
    assert all(r.keys() == row.keys() for r in rows)
