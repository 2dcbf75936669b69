"""What it takes to reach each label: bounded from below by what is proven."""

import math

import pytest
import torch
from torch import nn

from robustaudio.attacks import PGD, DeepFool
from robustaudio.audio.datasets import open_dataset
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers import checkpoints
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation import figures
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import load_clips
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.targets import levels_by_target


def test_a_linear_classifier_has_the_level_in_closed_form():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0, 0.5], [0.0, -1.0, 0.0]]))
        layer.bias.zero_()
    classifier = Classifier({}, nn.Sequential(layer), labels=("a", "b"), sample_rate=8, length=3)
    x = torch.tensor([1.0, 0.5, -0.5])  # logits 0.75 and -0.5; the weights' difference: 2.5 in l1
    result = measure_clip(levels_by_target, classifier, x, Plan(DeepFool(overshoot=1e-4)))
    assert result.prediction == "a" and set(result.levels_db) == {"b"}
    assert result.levels_db["b"] == pytest.approx(20 * math.log10(1.25 / 2.5), abs=0.01)


def test_no_target_lies_inside_what_is_proven():
    classifier = checkpoints.load_classifier("digits-cnn-ibp")
    clips = load_clips(classifier, open_dataset("bundled-digits"))
    x = clips.waveforms[7]
    verifier = Verifier(classifier, method="crown")
    proven = float(verifier.largest_level(x[None], verifier.predict(x[None])))
    told = []
    result = measure_clip(
        levels_by_target,
        classifier,
        x,
        Plan(PGD(steps=5)),
        progress=lambda share, step=None: told.append(share),
    )
    reached = [level for level in result.levels_db.values() if level is not None]
    assert len(result.levels_db) == 9 and reached and proven < min(reached)
    assert told == sorted(told) and told[0] >= 0 and told[-1] <= 1


def test_a_target_out_of_reach_is_none():
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([1.0, 0.0]))
    classifier = Classifier({}, nn.Sequential(layer), labels=("a", "b"), sample_rate=8, length=2)
    result = measure_clip(levels_by_target, classifier, torch.ones(2), Plan(PGD(steps=2)))
    assert result.levels_db == {"b": None}


def test_the_map_has_a_number_in_every_cell_that_can_be_read_on_its_colour():
    rows = [
        {"prediction": "cello", "levels_db": {"electric_guitar": -80.4, "voice": -10.0}},
        {"prediction": "voice", "levels_db": {"cello": -45.0, "electric_guitar": None}},
    ]
    heat, cells = figures.targets(rows, unit="the clip's peak").data
    assert [list(row) for row in heat.z] == [[None, -80.4, -10.0], [-45.0, None, None]]
    assert list(heat.x) == ["cello", "electric guitar", "voice"]
    assert heat.text[0][1] == "cello → electric guitar"
    assert list(cells.text) == ["·", "-80", "-10", "-45", "–", "·"]
    dark_to_bright = [colour for colour in cells.textfont.color if colour != figures.INK]
    assert dark_to_bright == ["white", "black", "black"]


def test_a_map_of_nothing_is_a_map():
    rows = [{"prediction": "a", "levels_db": {"b": None}}]
    _, cells = figures.targets(rows, unit="the clip's peak").data
    assert list(cells.text) == ["·", "–"]
