"""Words while a run waits."""

from robustaudio.ui.words.waiting import waiting_words


def test_the_words_are_plain():
    assert "waiting: yours is next, about 5 s" in waiting_words(0, 0.0)
    assert "waiting: 1 run is before yours …" in waiting_words(1, None)
    assert "waiting: 2 runs are before yours, about 20 s" in waiting_words(2, 21.3)
