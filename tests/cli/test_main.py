"""The way in: help and errors come before torch does, and files are checked before the work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from robustaudio.audio.datasets import BUNDLED
from robustaudio.cli import main
from robustaudio.cli.main import with_numbers

ROOT = Path(__file__).parents[2]
CLIP = str(BUNDLED / "seven-slt.wav")
VERBS = [
    "predict", "attack", "noise", "verify", "certify", "ruler", "targets", "maximise", "train",
    "table", "download", "classifiers", "app", "listen", "listen serve", "listen analyse",
    "listen purge", "listen simulate",
]  # fmt: skip
WITHOUT_TORCH = """
import sys
from robustaudio.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
heavy = [name for name in ("torch", "numpy", "scipy", "gradio") if name in sys.modules]
assert not heavy, heavy
sys.exit(code)
"""


def without_torch(*arguments, environment=None):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True,
        cwd=ROOT, env=os.environ | (environment or {}),
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", ["--version", "--help", *(f"{verb} --help" for verb in VERBS)]
)
def test_help_needs_no_torch(arguments):
    run = without_torch(*arguments.split())
    assert run.returncode == 0, run.stderr
    assert "usage: " in run.stdout or arguments == "--version"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["fly"], "invalid choice: 'fly'"),
        ([], "required: VERB"),
        (["attack", CLIP, "--loud"], "unrecognized arguments: --loud"),
        (["attack", CLIP, "--attack", "hammer"], "invalid choice: 'hammer'"),
        (["attack", CLIP, "--loss", "mse"], "invalid choice: 'mse'"),
        (["attack", CLIP, "--steps", "few"], "invalid int value: 'few'"),
        (["attack", CLIP, "--norm", "l3"], "invalid choice: 'l3'"),
        (["verify", CLIP, "--method", "magic"], "invalid choice: 'magic'"),
        (["train", "resnet"], "invalid choice: 'resnet'"),
        (["table", "chairs"], "invalid choice: 'chairs'"),
        (["attack", "nosuch.wav"], "there is no file nosuch.wav"),
        (["ruler", str(BUNDLED)], "is a folder; name a sound file, or the folder by --dataset"),
        (["ruler", CLIP, "--heard", "no.json"], "--heard: there is no file no.json"),
        (["listen", "serve", "no.yaml"], "the study no.yaml is not there"),
        (["listen", "simulate", "assets"], "the study assets is a folder; name a study in it"),
        (["predict"], "name either a sound file or --dataset NAME"),
        (["attack", CLIP, "--output", "x.mp3"], "--output x.mp3 must end in .wav"),
        (["predict", CLIP, "--threads", "0"], "--threads 0 must be a whole number"),
        (["app", "--port", "99999"], "--port 99999 must be from 0 to 65535"),
        (["app", "--port", "x"], "invalid int value: 'x'"),
    ],
)
def test_an_error_needs_no_torch(arguments, sentence):
    run = without_torch(*arguments)
    assert run.returncode == 2
    assert sentence in run.stderr and "Traceback" not in run.stderr and not run.stdout


def test_the_app_answers_before_it_loads():
    for arguments, code in (["--help"], 0), (["--port", "-1"], 2), (["--nonsense"], 2):
        run = subprocess.run(
            [sys.executable, "-X", "importtime", "app.py", *arguments], capture_output=True,
            text=True, cwd=ROOT,
        )  # fmt: skip
        assert run.returncode == code
        assert not any(f" {name}\n" in run.stderr for name in ("torch", "gradio", "numpy"))


@pytest.mark.parametrize("number", ["-1e2", "-inf", "-nan", "-1E+2", "-.5e-3", "-1_000", "-7"])
def test_a_negative_number_is_a_number_in_every_notation(number, capsys):
    assert with_numbers(["--level-db", number]) == [f"--level-db={number}"]
    assert main(["attack", "nosuch.wav", "--level-db", number]) == 2
    assert "there is no file nosuch.wav" in capsys.readouterr().err
    assert with_numbers(["a", number, "--x=1", number]) == ["a", number, "--x=1", number]
    assert with_numbers(["--report", "-x"]) == ["--report", "-x"]
