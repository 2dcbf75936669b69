"""A recording longer than a classifier listens is judged in part, and every record says which."""

import json
from pathlib import Path

import pytest
import torch

from robustaudio.audio.clip import Clip, Stretch
from robustaudio.audio.datasets import open_dataset
from robustaudio.cli import main
from robustaudio.evaluation.results import Prediction
from robustaudio.ui.sources import Source
from robustaudio.ui.words.choice import prediction_words

SEVEN = open_dataset("bundled-digits").folder / "seven-slt.wav"


@pytest.fixture
def long(tmp_path) -> Path:
    """2.0 s of silence, the seven, and silence up to 3.1 s."""
    seven = Clip.load(SEVEN)
    samples = torch.cat([torch.zeros(16_000), seven.samples, torch.zeros(5_360)])
    return Clip(samples, 8_000).save(tmp_path / "long.wav", "PCM_16")


@pytest.mark.parametrize(
    "verb",
    [
        ["predict"], ["attack", "--attack", "fgsm"], ["noise"], ["verify"],
        ["certify", "--n", "100"], ["targets", "--attack", "fgsm"],
    ],
)  # fmt: skip
def test_every_verb_says_which_part(verb, long, tmp_path, capsys):
    assert main([verb[0], str(long), *verb[1:], "--classifier", "digits-cnn", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)["judged"]
    assert set(judged) == {"start_s", "end_s", "of_s"} and judged["of_s"] == 3.1
    assert judged["end_s"] - judged["start_s"] == pytest.approx(1)
    assert judged["start_s"] <= 2.0 and judged["end_s"] >= 2.42


def test_a_clip_that_was_heard_whole_says_nothing(capsys):
    assert main(["predict", str(SEVEN), "--json"]) == 0
    assert "judged" not in json.loads(capsys.readouterr().out)


def test_the_report_has_the_part_too(long, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["noise", str(long), "--report", str(report), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    written = json.loads(report.read_text())
    assert written["clip"]["judged"] == written["result"]["judged"] == record["judged"]


def test_the_page_says_the_part_in_words():
    result = Prediction("a", "7", {"7": 1.0})
    source = Source("own", SEVEN, "digits")
    assert "Judged" not in prediction_words(result, source)
    part = Stretch(1.429875, 2.429875, 3.1)
    words = prediction_words(result, source, part)
    assert "Judged: 1.43 s to 2.43 s of 3.10 s, the stretch with the most energy." in words
