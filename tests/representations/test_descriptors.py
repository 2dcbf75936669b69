"""Descriptors are librosa's, for every frame and clip; statistics are plain arithmetic."""

import librosa
import numpy as np
import pytest
import torch

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import open_dataset
from robustaudio.representations.descriptors import DESCRIPTORS, ITEMS, Descriptors, Statistics

RATE = 22_050


def of_librosa(samples: np.ndarray) -> np.ndarray:
    feature = librosa.feature
    return np.concatenate([
        feature.rms(y=samples),
        feature.spectral_centroid(y=samples, sr=RATE),
        feature.spectral_bandwidth(y=samples, sr=RATE),
        feature.spectral_rolloff(y=samples, sr=RATE),
        feature.zero_crossing_rate(samples),
        feature.mfcc(y=samples, sr=RATE),
    ])  # fmt: skip


def agree(samples: torch.Tensor) -> None:
    """Each descriptor within 1e-3 of librosa's, relative to its largest value, but for roll-off:
    that is a bin, and a tie may fall to the next one."""
    ours = Descriptors(RATE)(samples[None])[0].double().numpy()
    theirs = of_librosa(samples.numpy())
    assert ours.shape == theirs.shape == (len(DESCRIPTORS), 1 + len(samples) // 512)
    scale = np.abs(theirs).max(1, keepdims=True)
    error = np.abs(ours - theirs) / np.maximum(scale, 1e-9)
    rolloff = DESCRIPTORS.index("spectral_rolloff")
    bin_hz = RATE / 2048
    assert (np.abs(ours - theirs)[rolloff] <= 1.01 * bin_hz).all()
    assert (np.delete(error, rolloff, 0) < 1e-3).all()
    means = np.abs(ours.mean(1) - theirs.mean(1)) / np.maximum(np.abs(theirs.mean(1)), 1e-9)
    assert (means < 1e-3).all()


def test_descriptors_of_bundled_instruments_are_those_of_librosa():
    for row in open_dataset("bundled-instruments").rows[::3]:
        agree(Clip.load(open_dataset("bundled-instruments").folder / row.file).samples)


@pytest.mark.corpus
def test_descriptors_of_recordings_are_those_of_librosa():
    try:
        dataset = open_dataset("instruments")
    except ValueError:
        pytest.skip("the recordings are not at hand")
    for row in dataset.rows[::120]:
        agree(Clip.load(dataset.folder / row.file).samples)


@pytest.mark.parametrize("length", [2_048, 22_050, 44_100, 30_001])
def test_noise_of_any_length_with_silence_in_it(length):
    samples = torch.randn(length, generator=torch.Generator().manual_seed(0)) * 0.1
    samples[: length // 3] = 0
    agree(samples)


def test_a_tone_is_where_it_is():
    tone = torch.sin(2 * torch.pi * 1_000 * torch.arange(RATE) / RATE)
    values = dict(zip(DESCRIPTORS, Descriptors(RATE)(tone[None])[0, :, 20], strict=True))
    assert values["rms"] == pytest.approx(0.5**0.5, rel=1e-3)
    assert values["spectral_centroid"] == pytest.approx(1_000, rel=1e-2)
    assert values["spectral_rolloff"] == pytest.approx(1_000, abs=2 * RATE / 2048)
    assert values["zero_crossing_rate"] == pytest.approx(2_000 / RATE, rel=0.02)


def test_a_batch_larger_than_a_part_equals_its_clips():
    x = torch.randn(2 * ITEMS + 1, 8_000, generator=torch.Generator().manual_seed(1))
    describe = Descriptors(RATE)
    alone = torch.cat([describe(clip[None]) for clip in x])
    assert torch.allclose(describe(x), alone, rtol=1e-4, atol=1e-3)


def test_the_gradient_is_that_of_finite_differences():
    x = torch.randn(1, 6_000, generator=torch.Generator().manual_seed(2)).double()
    describe, weight = Descriptors(RATE).double(), torch.randn(25, 1).double()
    weight[3:5] = 0  # roll-off and zero crossings count
    direction = torch.randn_like(x)

    def value(point: torch.Tensor) -> torch.Tensor:
        return (describe(point) * weight).mean()

    point = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(point), point)
    step = 1e-6
    slope = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-3)


def test_statistics_by_hand():
    frames = torch.tensor([[[1.0, 3.0, 2.0], [0.0, 0.0, 6.0]]])
    found = Statistics(("mean", "std", "delta"))(frames)[0]
    expected = [2.0, 2.0, (2 / 3) ** 0.5, 8**0.5, 1.5, 3.0]
    assert found.tolist() == pytest.approx(expected)
