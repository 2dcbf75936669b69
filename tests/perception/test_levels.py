"""Levels mean what they say."""

import math

import pytest
import torch

from robustaudio.perception import levels
from robustaudio.threats.norms import L2, LINF


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
