"""The two records: what a trial keeps to itself, what a response may be, and the way to disk."""

import json
import math
from dataclasses import replace

import pytest

from robustaudio.listening.design.forced_choice import THREE_INTERVALS
from robustaudio.listening.design.procedures import ABX as ABXProcedure
from robustaudio.listening.design.procedures import MATCH_TO_SAMPLE
from robustaudio.listening.design.ratings import IMPAIRMENT, MUSHRA, Mushra
from robustaudio.listening.design.trial import (
    Condition,
    Response,
    Trial,
    from_record,
    from_row,
    to_record,
    to_rows,
)

WHITE = Condition("seven", "white")
ABX = Trial(4, "test", MATCH_TO_SAMPLE, WHITE, (None, -30.0, -30.0), 1)
PAGE = Trial(1, "test", MUSHRA, WHITE, (-20.0, None, -40.0), None)
HOW = {"response_time_s": 1.5, "plays": 3, "switches": 2, "hour": "2026-11-25T22Z"}


def respond(trial: Trial, answer) -> Response:
    return Response(trial, answer, **HOW)


def test_the_level_of_a_trial_is_that_of_its_perturbed_intervals():
    assert ABX.level_db == -30
    assert Trial(0, "catch", THREE_INTERVALS, WHITE, (None, None, -10.0), 2).level_db == -10
    assert PAGE.level_db is None


def test_an_answer_is_right_or_wrong_and_a_grade_neither():
    assert respond(ABX, 1).correct is True
    assert respond(ABX, 0).correct is False
    assert respond(PAGE, (50.0, 100.0, 90.0)).correct is None


PROCEDURES = {"abx": ABXProcedure((WHITE,)), "mushra": Mushra((WHITE,))}


@pytest.mark.parametrize("response", [respond(ABX, 0), respond(PAGE, (50.0, 100.0, 90.0))])
def test_a_response_survives_json(response):
    procedure = PROCEDURES[response.trial.paradigm.name]
    record = json.loads(json.dumps(to_record(response)))
    assert record["trial"]["paradigm"] == procedure.kind
    assert from_record(record, procedure) == response


JOINED_TWICE = Condition("seven · old", "white"), Condition("seven", "old · white")


@pytest.mark.parametrize("condition", JOINED_TWICE)
def test_conditions_that_look_alike_are_told_apart(condition):
    assert str(JOINED_TWICE[0]) == str(JOINED_TWICE[1]) == "seven · old · white"
    procedure = ABXProcedure(JOINED_TWICE)
    response = respond(replace(ABX, condition=condition), 0)
    record = json.loads(json.dumps(to_record(response)))
    assert from_record(record, procedure).trial.condition == condition
    (row,) = to_rows(response, "l")
    columns = {"clip": condition.clip, "family": condition.family}
    assert from_row(row.to_json() | columns, procedure).condition == condition


def test_a_condition_of_an_earlier_version_is_a_text():
    """Its columns `clip` and `family` were cut at the last separator, and may be wrong."""
    response = respond(replace(ABX, condition=JOINED_TWICE[1]), 0)
    procedure = ABXProcedure((JOINED_TWICE[1],))
    record = to_record(response)
    record["trial"]["condition"] = "seven · old · white"
    assert from_record(record, procedure) == response
    (row,) = to_rows(response, "l")
    wrong = {"clip": "seven · old", "family": "white"}
    assert from_row(row.to_json() | wrong, procedure).condition == JOINED_TWICE[1]
    record["trial"]["condition"] = "seven · pink"
    with pytest.raises(ValueError, match="condition 'seven · pink' is none of the study's"):
        from_record(record, procedure)


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
        respond(Trial(0, "test", IMPAIRMENT, WHITE, (None, -20.0), None), (5.0, 0.0))


@pytest.mark.parametrize("record", [{}, {"trial": 3}, {**to_record(respond(ABX, 0)), "iq": 1}])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(ValueError, match="not the record of a response"):
        from_record(record, PROCEDURES["abx"])


def test_rows_are_tidy():
    (row,) = to_rows(respond(ABX, 0), "l")
    assert row.level_db == -30 and row.correct is False and row.paradigm.name == "abx"
    rows = to_rows(respond(PAGE, (50.0, 100.0, 90.0)), "l")
    assert [(r.level_db, r.answer) for r in rows] == [(-20, 50), (None, 100), (-40, 90)]
    assert all(r.to_json().keys() == row.to_json().keys() for r in rows)


def test_a_row_that_lacks_a_column_is_refused():
    record = to_rows(respond(ABX, 1), "l")[0].to_json()
    assert from_row(record, PROCEDURES["abx"]).level_db == -30
    del record["level_db"]
    with pytest.raises(ValueError, match="a row lacks level_db; it has listener, trial"):
        from_row(record, PROCEDURES["abx"])
