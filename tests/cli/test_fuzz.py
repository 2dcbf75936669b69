"""No command line ends in a traceback: seeded, hostile values for every option of every verb."""

import argparse
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from robustaudio import doors
from robustaudio.audio.datasets import BUNDLED
from robustaudio.cli import main, parser

CLIP = str(BUNDLED / "seven-slt.wav")
NUMBERS = [
    "nan", "inf", "-inf", "-1e2", "1e308", "-1e308", "1e400", "0", "-1", "1e-320", "1e9", "7" * 400,
    "0x10", "1_000", "١", "", " ", "1,5", "two",
]  # fmt: skip
TEXTS = ["", " ", "\0", "-", "..", "/proc", "x" * 5_000, "\ud800", "ä/ö", "'A'", "%s", "a\nb", "~"]
# whatever is written ends in the test's own folder: nobody, root neither, can write to these others
PATHS = [*TEXTS[:7], "/dev/null/x", "/proc/version", "/dev/full", "no/such.wav"]
STORES = [
    *PATHS, "://", "x://", "sqlite://", "sqlite:///", "sqlite:///.", "sqlite:///:memory:", "hub://",
    "sqlite:x", "postgresql://", "postgresql+psycopg://u@127.0.0.1:1/x", "postgresql://u:p@h:port/x",
    "mysql://x/y", "file:///proc", "hub://a", "hub://a/b/c", "memory:x", ":", "a:b:c",
]  # fmt: skip
ENDLESS = {"serve", "app", "train", "table", "download"}  # each has one thing wrong at least
LINES = {"classifiers": 4, "maximise": 20, "ruler": 20, "targets": 30}  # of verbs that take long
USUAL = 60


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """Elsewhere, without network, and without the work that accepted values would begin."""
    monkeypatch.chdir(tmp_path)

    def refuse(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_server", refuse)


def verbs(of: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> Iterator:
    """The verbs with their parsers, those of `listen` included."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, one in action.choices.items():
                inner = [*verbs(one, (*before, name))]
                yield from inner or [((*before, name), one)]


VERBS = dict(verbs(parser()))


def value(action: argparse.Action, rng: random.Random) -> str:
    if action.choices and rng.random() < 0.7:
        return str(rng.choice([*action.choices]))
    if action.type in (int, float):
        return rng.choice(NUMBERS)
    if action.dest == "store":
        return rng.choice(STORES)
    return rng.choice(PATHS if action.type is Path or action.dest == "clip" else TEXTS)


def command(verb: tuple[str, ...], rng: random.Random) -> list[str]:
    """The verb with one to four options, one of them wrong, and what it cannot do without."""
    actions = [one for one in VERBS[verb]._actions if not isinstance(one, argparse._HelpAction)]
    line = [*verb]
    for action in (one for one in actions if not one.option_strings):
        if action.dest == "clip" and rng.random() < 0.8:
            line.append(CLIP)
        else:
            line.append(value(action, rng))
    options = [one for one in actions if one.option_strings]
    for action in rng.sample(options, min(len(options), rng.randint(1, 4))):
        line.append(rng.choice(action.option_strings))
        if action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction):
            line.append(value(action, rng))
    return line


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_hostile_lines_end_in_a_sentence(verb, capsys, monkeypatch):
    if verb[-1] in ENDLESS - {"serve"}:
        monkeypatch.setattr("robustaudio.cli.options.import_module", _no_work)
    monkeypatch.setattr("robustaudio.cli.app.App.run", _not_opened)
    rng = random.Random(" ".join(verb))
    for _ in range(LINES.get(verb[-1], USUAL)):
        line = command(verb, rng)
        code = answered(line)
        out, err = capsys.readouterr()
        assert code in (0, 1, 2), (line, code, err)
        assert "Traceback" not in err + out, (line, err)
        assert code != doors.DEFECT, (line, err)
        told = [one for one in err.splitlines() if one.startswith("robustaudio")]
        assert len(told) == (code != 0), (line, err)
        if "--json" in line and code == 0:
            json.loads(out, parse_constant=_no_constant)


def _no_constant(name: str):
    raise AssertionError(f"{name} is no JSON")


def _no_work(name: str):
    raise ValueError("the work would begin.")


def _not_opened(*_: object) -> None:
    raise ValueError("the app would open.")


def answered(line: list[str]) -> int:
    try:
        return main(line)
    except SystemExit as stop:
        return int(str(stop.code))
