"""Noise at representations: which of them can be heard is known before anything is computed."""

import pytest
import torch

from robustaudio.classifiers.checkpoints import load_classifier
from robustaudio.threats.noise import audible_representations, noisy_clip


@pytest.mark.parametrize(
    "name, audible",
    [
        ("digits-cnn", ("waveform", "magnitude", "mel")),
        ("digits-lstm", ("waveform", "magnitude", "mel")),
        ("instruments-svm", ("waveform",)),
        ("instruments-svm-denoise", ("waveform",)),
    ],
)
def test_what_can_be_heard_is_a_property_of_the_classifier(name, audible):
    assert audible_representations(load_classifier(name)) == audible


def test_what_cannot_be_heard_is_refused_before_anything_is_computed():
    classifier = load_classifier("digits-cnn")
    silence = torch.zeros(1, 1)  # too short for a single frame: computing would fail
    with pytest.raises(
        ValueError,
        match="'log_mel' cannot be brought back to sound; choose from waveform, magnitude, mel",
    ):
        noisy_clip(classifier, silence, "log_mel", 0.1, torch.Generator())
