"""Who is left out, and who is not: a rule that is broken once is not broken."""

from dataclasses import replace

import pytest
from listening.analysis.rows import A, B, C, D
from listening.simulated import simulated_rows

from robustaudio.listening import ABX, Impairment, Mushra, Quest
from robustaudio.listening.analysis.analyse import analyse
from robustaudio.listening.analysis.exclusion import (
    hears_no_anchor,
    misses_catches,
    misses_reference,
)
from robustaudio.listening.simulated_listeners import Listener, panel


def test_more_than_15_percent_of_bad_references_exclude():
    """ITU-R BS.1534-3: 3 of 20 is 15 %, and stays; 4 of 20 does not."""
    assert misses_reference([89.0] * 3 + [100.0] * 17) is None
    assert misses_reference([89.0] * 4 + [100.0] * 16) == (
        "graded the hidden reference below 90 in 4 of 20 items"
    )
    assert misses_reference([90.0] * 10) is None


@pytest.mark.parametrize("items", [1, 3, 5, 10])
def test_one_bad_reference_excludes_nobody(items):
    assert misses_reference([0.0] + [100.0] * (items - 1)) is None
    assert misses_catches([False] + [True] * (items - 1)) is None
    assert hears_no_anchor([100.0] + [20.0] * (items - 1)) is None


def test_fewer_than_80_percent_of_catches_exclude():
    assert misses_catches([False] * 2 + [True] * 8) is None
    assert misses_catches([False] * 3 + [True] * 7) == "missed 3 of 10 catch trials"
    assert misses_catches([False] * 2 + [True] * 2) == "missed 2 of 4 catch trials"


def test_who_was_not_asked_is_not_excluded():
    assert misses_reference([]) is None and misses_catches([]) is None


def test_an_inattentive_listener_is_left_out_with_the_reason():
    attentive, absent = Listener(-45, lapse_rate=0), Listener(-45, lapse_rate=0.5)
    rows = simulated_rows(Quest((A, B)), [attentive, attentive, absent], 4)
    record = analyse(rows)
    assert list(record.excluded) == ["simulated-2"] and record.listeners == 3
    assert "catch trials" in record.excluded["simulated-2"]
    assert record.results[0].count == 2


@pytest.mark.parametrize("procedure", [ABX((A,)), ABX((A,), trials=8), Quest((A,), trials=12)])
def test_a_short_test_has_enough_catches_to_find_who_guesses(procedure):
    guessing = analyse(simulated_rows(procedure, [Listener(99.0)] * 100, 0))
    assert len(guessing.excluded) >= 50
    attending = analyse(simulated_rows(procedure, [Listener(-99.0, lapse_rate=0)] * 100, 0))
    assert not attending.excluded


def test_who_hears_no_anchor_in_mushra_is_left_out():
    rows = simulated_rows(Mushra((A, B, C, D)), panel(2, Listener(-35), 2, 0), 0)
    rows = [replace(row, answer=100.0) if row.listener == "simulated-0" else row for row in rows]
    assert list(analyse(rows).excluded) == ["simulated-0"]


def test_who_cannot_tell_the_impaired_from_the_clean_is_left_out():
    rows = simulated_rows(Impairment((A, B)), panel(3, Listener(-35), 2, 0), 0)
    assert analyse(rows).excluded == {}
    for place, row in enumerate(rows):
        if row.listener == "simulated-0":
            rows[place] = replace(row, answer=5.0 if row.level_db is not None else 4.0)
        elif row.listener == "simulated-1":
            rows[place] = replace(row, answer=5.0)
    excluded = analyse(rows).excluded
    assert list(excluded) == ["simulated-0", "simulated-1"]
    assert "no better than the perturbed one in 16 pages" in excluded["simulated-0"]


def test_one_bad_hidden_reference_excludes_nobody():
    rows = simulated_rows(Mushra((A, B, C, D)), panel(2, Listener(-35), 2, 0), 0)
    hidden = [n for n, row in enumerate(rows) if row.level_db is None and row.kind == "test"]
    mine = [n for n in hidden if rows[n].listener == "simulated-0"]
    for n in hidden:
        rows[n] = replace(rows[n], answer=100.0)
    rows[mine[0]] = replace(rows[mine[0]], answer=20.0)
    assert analyse(rows).excluded == {}
    rows[mine[1]] = replace(rows[mine[1]], answer=89.0)
    assert list(analyse(rows).excluded) == ["simulated-0"]
