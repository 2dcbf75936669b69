"""A stage says where its values may lie and how it is undone; other modules say neither."""

from math import inf

import pytest
import torch
from torch import nn

from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.representations.stage import UNBOUNDED, Invertible, bounds_behind, sound_behind


class Doubled(Invertible):
    bounds = (-2.0, 2.0)

    def forward(self, x):
        return 2 * x

    def undo(self, x, features):
        return features / 2


def test_the_bounds_are_those_of_the_last_stage():
    assert bounds_behind([]) == (-1, 1)
    assert bounds_behind(nn.Sequential(nn.Identity(), Doubled())) == (-2, 2)
    assert bounds_behind([Doubled(), nn.Identity()]) == UNBOUNDED
    classifier = load_classifier("digits-lstm")
    bounds = {r: bounds_behind(classifier.split(r)[0]) for r in classifier.representations}
    assert bounds == {
        "waveform": (-1, 1), "magnitude": (0, inf), "mel": (0, inf), "log_mel": UNBOUNDED,
        "mfcc": UNBOUNDED,
    }  # fmt: skip


def test_stages_are_undone_from_the_last_to_the_first():
    x = torch.ones(1, 3)
    assert torch.equal(sound_behind([Doubled(), Doubled()], x, 8 * x), 2 * x)
    assert torch.equal(sound_behind([], x, 8 * x), 8 * x)
    with pytest.raises(ValueError, match="Identity cannot be brought back to sound"):
        sound_behind([Doubled(), nn.Identity()], x, x)
