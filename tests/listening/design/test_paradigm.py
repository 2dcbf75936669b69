"""Paradigms declare what they ask, once: the page, the store and the analysis read it."""

from dataclasses import replace

import pytest

from robustaudio.listening.analysis.by_paradigm import results
from robustaudio.listening.analysis.exclusion import reason_to_exclude
from robustaudio.listening.design.paradigm import Axis, Choice, Rating
from robustaudio.listening.design.ratings import IMPAIRMENT, MUSHRA
from robustaudio.listening.design.study import PARADIGMS, PROCEDURES
from robustaudio.listening.design.trial import Condition

ALL = pytest.mark.parametrize("paradigm", PARADIGMS.values(), ids=PARADIGMS)
CHOICES = [paradigm for paradigm in PARADIGMS.values() if isinstance(paradigm, Choice)]


@pytest.mark.parametrize("kind", PROCEDURES)
def test_a_procedure_asks_by_a_paradigm_that_it_declares(kind):
    procedure = PROCEDURES[kind](conditions=(Condition("clip", "white"),))
    trial = procedure.next((), 0)
    assert trial.paradigm is procedure.paradigm in procedure.paradigms


@ALL
def test_there_is_an_analysis_and_a_rule_of_exclusion(paradigm):
    assert list(results(paradigm, [], 0.6)) == []
    assert reason_to_exclude(paradigm, []) is None


@ALL
def test_every_button_has_a_place_on_the_page(paradigm):
    is_choice = isinstance(paradigm, Choice)
    intervals = paradigm.intervals(-20.0, 0) if is_choice else (-20.0, None)
    shown = paradigm.shown(intervals)
    assert len(shown["places"]) == len(paradigm.played(intervals))
    assert "right" not in shown and -20.0 not in shown.values()


@pytest.mark.parametrize("paradigm", CHOICES, ids=lambda paradigm: paradigm.name)
def test_chance_is_where_nothing_is_heard(paradigm):
    assert paradigm.proportion_correct(0) == pytest.approx(paradigm.guess_rate)


@pytest.mark.parametrize("paradigm", CHOICES, ids=lambda paradigm: paradigm.name)
def test_what_the_page_knows_is_the_same_whatever_is_right(paradigm):
    first, *others = [
        paradigm.shown(paradigm.intervals(-20.0, right)) for right in range(paradigm.choices)
    ]
    assert all(other == first for other in others)


def test_abx_hides_its_sample_and_names_its_answers():
    abx = PARADIGMS["abx"]
    assert isinstance(abx, Choice) and abx.has_sample
    assert [abx.intervals(-20.0, right) for right in (0, 1)] == [
        (None, -20.0, None), (None, -20.0, -20.0),
    ]  # fmt: skip
    assert abx.shown((None, -20.0, None))["answers"] == ["X is A", "X is B"]


def test_grades_are_drawn_on_the_scale_or_on_that_of_their_differences():
    assert MUSHRA.axis == Axis(0, 100, 20, "mean grade")
    assert IMPAIRMENT.axis == Axis(-4, 1, 1, "grade less the hidden reference's")
    five = replace(MUSHRA, scale=(1.0, 5.0), words=tuple((n, str(n)) for n in range(1, 6)))
    assert isinstance(five, Rating)
    with pytest.raises(ValueError, match=r"grades .* must lie between 1 and 5"):
        five.check((0.0,), (None,))
