"""A study's rows become one record: who counts, what each heard, and what may be said of all."""

import json

import pytest
from listening.analysis.rows import NAMES, PROCEDURES, A, B
from listening.simulated import simulated_rows

from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.simulated_listeners import Listener, panel


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
