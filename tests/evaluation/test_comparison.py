"""A perturbed clip beside the clean one: what 16 bits leave of a success."""

import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.sixteen_bit import rounded_to_16_bit
from robustaudio.evaluation.comparison import compare
from robustaudio.perception import levels


def test_rounding_to_16_bit_is_what_a_16_bit_file_does(tmp_path, clips):
    waveform = clips.waveforms[0] * 0.999
    Clip(waveform, 8_000).save(tmp_path / "a.wav", "PCM_16")
    read = Clip.load(tmp_path / "a.wav").samples
    assert (read - rounded_to_16_bit(waveform[None])[0]).abs().max() <= levels.STEP_16_BIT


def test_a_perturbation_below_half_a_step_does_not_survive_rounding(classifier, clips):
    waveform = rounded_to_16_bit(clips.waveforms[:1] * 0.9)[0]
    tiny = waveform + 0.3 * levels.STEP_16_BIT * torch.ones_like(waveform)
    assert torch.equal(rounded_to_16_bit(tiny[None])[0], waveform)


class Fine(torch.nn.Module):
    """Tells apart what a 16-bit file cannot hold."""

    name, labels, sample_rate = "fine", ("a", "b"), 8_000

    def forward(self, x):
        return torch.stack([0 * x[:, 1], x[:, 1] - 0.2 * levels.STEP_16_BIT], 1)

    def probabilities(self, x):
        return self(x).softmax(-1)


@pytest.mark.parametrize("steps, survives", [(0.3, False), (1.0, True)])
def test_success_after_rounding_is_that_of_the_rounded_clip(steps, survives):
    perturbed = torch.tensor([[0.5, steps * levels.STEP_16_BIT]])
    (result,) = compare(Fine(), torch.tensor([[0.5, 0.0]]), perturbed)
    assert result.prediction == "b"
    assert result.success_after_rounding is survives
    assert result.prediction_after_rounding == ("b" if survives else "a")
