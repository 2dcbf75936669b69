"""Pieces of HTML."""

from robustaudio.ui.html import decibel


def test_silence_has_no_level():
    assert decibel(None) == "−∞ dB"
    assert decibel(-12.34) == "−12.3 dB"
    assert decibel(-0.01) == "0.0 dB"
