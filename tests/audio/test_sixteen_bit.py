"""Attacks on what is heard after a 16-bit file survive that file."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import TIME, clips, network, run
from torch import nn

from robustaudio.attacks import PGD, CarliniWagnerAudio
from robustaudio.audio.sixteen_bit import After16Bit, rounded_to_16_bit
from robustaudio.perception.levels import STEP_16_BIT
from robustaudio.threats.criterion import Misclassification


@given(seed=st.integers(0, 1_000), log_scale=st.floats(-6, 1))
def test_the_prediction_is_that_of_the_rounded_waveform(seed, log_scale):
    x, model = clips(seed) * 10**log_scale, network(seed)
    assert torch.equal(After16Bit(model)(x), model(rounded_to_16_bit(x)))


@given(seed=st.integers(0, 1_000), log_scale=st.floats(-4, 1))
def test_rounding_moves_by_half_a_step_at_most_and_only_once(seed, log_scale):
    x = clips(seed) * 10**log_scale
    rounded = rounded_to_16_bit(x)
    gain = x.abs().amax(1, keepdim=True).clamp_min(1).log2().ceil().exp2()
    full = 2.0**15 - 1
    limit = torch.where((x / gain).abs() * 2**15 > full, 1.0, 0.5) * STEP_16_BIT * gain
    assert ((rounded - x).abs() <= limit * (1 + 1e-6)).all()
    assert torch.equal(rounded_to_16_bit(rounded), rounded)


def test_rounding_by_hand():
    x = torch.tensor([[0.6, -1.4, 20_000.4, 32_767.8]]) * STEP_16_BIT
    assert (rounded_to_16_bit(x) / STEP_16_BIT).tolist() == [[1, -1, 20_000, 32_767]]
    loud = 2 * x  # beyond full scale a file is half as loud, and steps are twice as large
    assert (rounded_to_16_bit(loud) / STEP_16_BIT).tolist() == [[2, -2, 40_000, 65_534]]


def test_the_gradient_goes_straight_through():
    model, x = network(), clips().requires_grad_()
    (through,) = torch.autograd.grad(After16Bit(model)(x).square().sum(), x)
    rounded = rounded_to_16_bit(x.detach()).requires_grad_()
    (there,) = torch.autograd.grad(model(rounded).square().sum(), rounded)
    assert torch.equal(through, there) and there.abs().max() > 0


class Edge(nn.Module):
    """Linear; the decision changes at a linf distance of 0.7 steps from the clip."""

    def __init__(self, x):
        super().__init__()
        self.row = torch.randn(TIME, generator=torch.Generator().manual_seed(5)).double()
        self.at = x[0] @ self.row + 0.7 * STEP_16_BIT * self.row.abs().sum()

    def forward(self, x):
        over = x @ self.row - self.at
        return torch.stack([torch.zeros_like(over), over], 1)


@pytest.mark.parametrize("attack", [PGD(), CarliniWagnerAudio(steps=100)], ids=["pgd", "cw-audio"])
def test_a_success_found_behind_the_rounding_is_still_one_in_the_file(attack):
    x = rounded_to_16_bit(clips(count=1) * 0.9).double().expand(8, -1).clone()
    model = Edge(x)
    criterion = Misclassification(torch.zeros(len(x), dtype=torch.long))
    given_ = {"criterion": criterion, "seed": 1}
    plain = run(attack, x, 0.9 * STEP_16_BIT, model=model, **given_)
    robust = run(attack, x, 0.9 * STEP_16_BIT, model=After16Bit(model), **given_)
    assert robust.is_adversarial.all()
    assert criterion.is_adversarial(model(rounded_to_16_bit(robust.adversarial))).all()
    assert plain.is_adversarial.all() and (robust.distance <= 0.9 * STEP_16_BIT * (1 + 1e-9)).all()


def test_less_than_half_a_step_is_gone_in_the_file():
    """0.45 steps would fool the model, and are rounded away: nothing is found behind the file."""
    x = rounded_to_16_bit(clips(count=1) * 0.9).double().expand(8, -1).clone()
    model = Edge(x)
    model.at = model.at - 0.3 * STEP_16_BIT * model.row.abs().sum()  # 0.4 steps are enough now
    criterion = Misclassification(torch.zeros(len(x), dtype=torch.long))
    plain, robust = (
        run(PGD(), x, 0.45 * STEP_16_BIT, model=m, criterion=criterion)
        for m in (model, After16Bit(model))
    )
    assert plain.is_adversarial.all()
    assert not criterion.is_adversarial(model(rounded_to_16_bit(plain.adversarial))).any()
    assert not robust.is_adversarial.any()
