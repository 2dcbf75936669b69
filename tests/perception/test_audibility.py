"""Noise-to-mask ratios on cases with a known answer."""

import math

import pytest
import torch

from robustaudio.perception.audibility import (
    disturbed_frames,
    max_noise_to_mask_db,
    noise_to_mask_ratio,
    total_noise_to_mask_db,
)
from robustaudio.perception.masking import MaskingThreshold, masking_framing

RATE = 8_000


def noise(length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1, length, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("known_db", [-10.0, 0.0, 7.0])
def test_white_noise_over_a_flat_threshold_has_the_known_total(known_db):
    """Its mean power in every bin is 3/8 of the variance: the energy of a Hann window."""
    framing, length = masking_framing(RATE), 30 * RATE
    power = 0.1**2 * 3 / 8 / 10 ** (known_db / 10)
    flat = torch.full((1, 129, framing.frames(length)), power**0.5, dtype=torch.float64)
    threshold = MaskingThreshold(framing, RATE, flat, flat, flat)
    ratio_db = noise_to_mask_ratio(noise(length), threshold)
    assert total_noise_to_mask_db(ratio_db).item() == pytest.approx(known_db, abs=0.1)


def test_total_maximum_and_disturbed_frames_by_hand():
    ratio_db = torch.tensor([[[10.0, -20.0, 1.5], [-10.0, -20.0, 1.4]], [[1.6, 1.6, -99.0]] * 2])
    mean = (10 + 0.01 + 10**0.15 + 0.1 + 0.01 + 10**0.14) / 6
    expected = [10 * math.log10(mean), 10 * math.log10((2 * 10**0.16 + 10**-9.9) / 3)]
    assert total_noise_to_mask_db(ratio_db).tolist() == pytest.approx(expected, abs=1e-5)
    assert max_noise_to_mask_db(ratio_db).tolist() == pytest.approx([10, 1.6])
    assert disturbed_frames(ratio_db).tolist() == pytest.approx([1 / 3, 2 / 3])  # 1.5 is not above
