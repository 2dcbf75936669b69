"""The clip that a visitor works on."""

from pathlib import Path

from robustaudio.ui.sources import UPLOAD, Source


def test_a_clip_of_the_list_has_a_label_and_ones_own_has_none():
    listed = Source("7 · flite slt", Path("seven-slt.wav"), "digits")
    own = Source(UPLOAD, Path("7 · mine.wav"), "digits", uploaded=True, visit="v")
    assert listed.label == "7" and own.label is None


def test_a_browser_is_told_no_place_of_the_server():
    own = Source(UPLOAD, Path("/srv/secret/mine.wav"), "digits", uploaded=True, visit="v")
    assert own.shown == {"task": "digits", "name": UPLOAD, "uploaded": True}
