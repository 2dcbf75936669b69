"""Progress: a bar with the time left on a terminal, one line elsewhere, nothing for short work."""

import io
import sys

import pytest

from robustaudio.cli import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_the_share_and_the_time_left(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown() as report:
        for done in (0.1, 0.25, 0.5):
            report(done)
    assert "50%" in terminal.getvalue() and "left" in terminal.getvalue()


def test_a_verb_without_progress_shows_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress.shown():
        pass
    assert not terminal.getvalue()


def test_a_long_run_is_estimated_once(monkeypatch, capsys):
    clock = iter([0.0, 5.0, 20.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.shown() as report:
        for share in (0.05, 0.1, 0.2):
            report(share)
    assert capsys.readouterr().err == "0.1 of it is done; about 3 minutes to go.\n"


@pytest.mark.parametrize(
    "seconds, words", [(150, "2 minutes"), (9_000, "2 hours"), (3e6, "35 days")]
)
def test_durations_in_words(seconds, words):
    assert progress.duration(seconds) == words
