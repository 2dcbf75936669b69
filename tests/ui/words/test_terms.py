"""What limits a result is said only where something did."""

from robustaudio.ui.words.terms import Ending, limited


def test_no_limit_no_words():
    assert limited(Ending()) == [] and "of 60 s" in limited(Ending(limit_s=60.0))[0]
