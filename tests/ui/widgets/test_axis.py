"""An axis in dB: where a level stands, and what is drawn beside it."""

import pytest

from robustaudio.ui.widgets.axis import PEAK, Axis, broken_part, proven_part, row, strip


@pytest.mark.parametrize("level_db, place", [(-140, 0), (-70, 50), (0, 100), (-500, 0), (60, 100)])
def test_a_level_stands_between_the_ends(level_db, place):
    assert PEAK.at(level_db) == pytest.approx(place)


def test_numbers_stand_every_so_many_decibels():
    ticks = Axis(-40, 20, 20).ticks()
    assert [part.split("</b>")[0] for part in ticks.split("<b>")[1:]] == ["−40", "−20", "0", "20"]
    assert "left:0.00%" in ticks and "left:100.00%" in ticks


def test_proven_lies_to_the_left_and_broken_to_the_right():
    assert "left:0;width:25.00%" in proven_part(PEAK, -105)
    assert "left:25.00%;right:0" in broken_part(PEAK, -105)
    assert proven_part(PEAK, None) == broken_part(PEAK, None) == ""


def test_what_was_not_measured_has_a_dash_and_no_mark():
    assert "<span style" not in row("proven", "x", None, "why") and "–" in row("a", "x", None, "b")
    assert "left:50.00%" in row("proven", "x", -70.0, "why")
    drawn = strip("x", "L2", -70.0, PEAK, "unit", "words", shown_db=-60.0)
    assert "−60.0 dB" in drawn and "width:50.00%" in drawn
