"""Levels by hand, and where there is nothing to divide by."""

import math

import pytest
import torch

from robustaudio.perception import levels
from robustaudio.threats.norms import L2, LINF


def noise(length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(1, length, generator=generator, dtype=torch.float64)


def test_levels_of_nothing_and_of_silence():
    something, nothing = noise(100), torch.zeros(1, 100, dtype=torch.float64)
    for level, sign in ((levels.level_db, 1), (levels.snr_db, -1)):
        assert level(nothing, something).item() == -math.inf * sign
        assert level(nothing, nothing).item() == -math.inf * sign  # silence that stays silent
        assert level(something, nothing).item() == math.inf * sign


def test_levels_by_hand():
    clean = torch.tensor([[0.5, -0.25, 0.0]])
    delta = torch.tensor([[0.05, 0.0, 0.0]])
    assert levels.level_db(delta, clean).item() == pytest.approx(-20, abs=1e-4)
    assert levels.snr_db(delta, clean).item() == pytest.approx(
        10 * math.log10((0.25 + 0.0625) / 0.0025), abs=1e-4
    )
    assert levels.snr_db(3 * delta, 3 * clean) == pytest.approx(levels.snr_db(delta, clean))
    assert levels.floor_16_bit_db(torch.tensor([1.0])) == pytest.approx(-90.309, abs=1e-3)
    for norm in (LINF, L2):
        epsilon = norm.epsilon(-37.0, clean)
        assert norm.level_db(float(epsilon), clean[0]) == pytest.approx(-37, abs=1e-4)
