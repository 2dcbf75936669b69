"""Streams, Ctrl-C and errors: whatever happens, a program ends in a sentence or in its result."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robustaudio import doors
from robustaudio.audio import datasets
from robustaudio.cli import main

ROOT = Path(__file__).parents[1]
CLIP = str(datasets.BUNDLED / "seven-slt.wav")
POSIX = pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which `robustaudio` is the command."""
    command = f'robustaudio() {{ "{sys.executable}" -m robustaudio "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": ""} | environment, timeout=120,
    )  # fmt: skip


@POSIX
@pytest.mark.parametrize(
    "line, code, words",
    [
        ("robustaudio predict nosuch.wav >&-", 2, "there is no file nosuch.wav."),
        ("robustaudio predict nosuch.wav <&-", 2, "there is no file nosuch.wav."),
        ("robustaudio predict nosuch.wav 2>&-", 2, ""),
        ("robustaudio --help >&-", 0, ""),
        ("robustaudio attack --help | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("robustaudio --version > /dev/full", 2, "cannot be written: no space left on device."),
        ("robustaudio --version <&- >&- 2>&-", 0, ""),
        ("python -c '' ; cd / && robustaudio --version", 0, ""),
    ],
)
def test_closed_and_full_streams(line, code, words):
    run = shell(line, PYTHONPATH=str(ROOT))
    assert run.returncode == code, run.stderr
    assert words in run.stderr and "Traceback" not in run.stderr and "ignored" not in run.stderr
    assert run.stderr.count("\n") == (words != "")


@POSIX
def test_what_is_opened_does_not_take_the_place_of_a_closed_stream():
    code = (
        "import os, sys; from robustaudio import doors; doors.open_streams();"
        "file = os.open(os.devnull, os.O_WRONLY); sys.exit(file)"
    )
    run = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "{code}" <&- >&- 2>&-'], cwd=ROOT)
    assert run.returncode == 3


@POSIX
def test_characters_that_a_terminal_lacks_do_not_stop_a_command():
    surroundings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = shell("robustaudio predict 'größe−1.wav'", **surroundings)
    assert run.returncode == 2 and "there is no file gr" in run.stderr
    code = "from robustaudio import doors; doors.main_of('x', lambda: print('a − b') or 0)"
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ascii_only, capture_output=True
    )
    assert run.returncode == 0 and run.stdout == b"a ? b\n" and not run.stderr


def raising(monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("robustaudio.cli.verbs.Predict.run", fail)


@pytest.mark.parametrize(
    "error, code, sentence",
    [
        (KeyboardInterrupt(), 130, "cancelled."),
        (BrokenPipeError(), 0, ""),
        (KeyError("A"), 1, "something failed inside (KeyError: 'A'); ROBUSTAUDIO_DEBUG=1 shows"),
        (AssertionError(), 1, "something failed inside (AssertionError: no reason given); "),
        (RuntimeError("line one\nline two"), 1, "(RuntimeError: line one); "),
        (RecursionError("too deep"), 1, "(RecursionError: too deep); "),
        (OSError(28, "No space left on device"), 2, "no space left on device."),
        (FileNotFoundError(2, "No such file", "style.css"), 2, "style.css: no such file."),
        (ModuleNotFoundError("No module named 'av'", name="av"), 2, "the package av is missing"),
        (ModuleNotFoundError("x", name="robustaudio.x"), 1, "something failed inside"),
        (MemoryError(), 2, "there is not enough memory; ask for less"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate "
                      "64000000000 bytes. Error code 12"), 2, "memory: 64 GB more were asked"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), 2, "memory: 21.5 GB"),
        (RuntimeError("Storage size calculation overflowed with sizes=[1000000000, 8000]"), 2,
         "there is not enough memory; "),
        (ValueError("level nan dB is none."), 2, "level nan dB is none."),
    ],
)  # fmt: skip
def test_every_error_is_one_sentence(error, code, sentence, capsys, monkeypatch):
    raising(monkeypatch, error)
    assert main(["predict", CLIP]) == code
    out, err = capsys.readouterr()
    assert not out and sentence in err and err.count("\n") == (sentence != "")


def test_a_defect_shows_where_it_is_when_asked(capsys, monkeypatch):
    raising(monkeypatch, KeyError("A"))
    monkeypatch.setenv(doors.DEBUG, "1")
    assert main(["predict", CLIP]) == 1
    assert "Traceback" in capsys.readouterr().err


@POSIX
def test_ctrl_c_while_it_computes_leaves_one_line():
    command = [sys.executable, "-u", "-m", "robustaudio", "certify", CLIP, "--n", "10000000"]
    begun = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        begun.wait(8)
    except subprocess.TimeoutExpired:
        begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=60)
    assert begun.returncode == 130 and err.splitlines()[-1] == "robustaudio: cancelled."
    assert "Traceback" not in err
