"""Gaussian noise has the size that sigma says."""

import pytest

from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.noise import AddingNoise, add_noise


def test_noise_of_sigma_zero_changes_nothing(classifier, clips):
    for representation in ("waveform", "magnitude", "mel"):
        result = measure_clip(
            add_noise, classifier, clips.waveforms[0], AddingNoise(0.0, representation)
        )
        assert result.perturbation.abs().max() < 1e-5
        assert result.clean_prediction == result.prediction


def test_noise_has_the_size_that_sigma_says(classifier, clips):
    result = measure_clip(add_noise, classifier, clips.waveforms[0], AddingNoise(0.1))
    assert result.perturbation.std().item() == pytest.approx(0.1, rel=0.05)
