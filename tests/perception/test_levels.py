"""Levels where there is nothing to divide by; by hand they are in evaluation/test_records.py."""

import math

import torch

from robustaudio.perception import levels


def noise(length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1, length, generator=generator, dtype=torch.float64)


def test_levels_of_nothing_and_of_silence():
    something, nothing = noise(100), torch.zeros(1, 100, dtype=torch.float64)
    for level, sign in ((levels.level_db, 1), (levels.snr_db, -1)):
        assert level(nothing, something).item() == -math.inf * sign
        assert level(nothing, nothing).item() == -math.inf * sign  # silence that stays silent
        assert level(something, nothing).item() == math.inf * sign
