"""The way in for a visitor's own sound."""

from robustaudio.ui.widgets import upload


def test_the_size_that_is_too_large_is_named():
    sentence = upload.too_large('["long.wav", 73400320, 1]')
    assert sentence == "long.wav has 70 MB; at most 50 MB, please."
