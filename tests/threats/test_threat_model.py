"""Balls and criteria: what is projected lies inside, what is sampled lies inside."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import ThreatModel

SEEDS = st.integers(0, 10_000)


def case(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(3, 2, 5, generator=generator) * 2 - 1
    epsilon = 10 ** (torch.rand(3, generator=generator) * 4 - 3)
    return x, epsilon, generator


@pytest.mark.parametrize("norm", [LINF, L2])
@given(seed=SEEDS, size=st.floats(-3, 2))
def test_a_projection_lies_in_ball_and_bounds_and_is_idempotent(norm, seed, size):
    x, epsilon, generator = case(seed)
    threat = ThreatModel(norm, epsilon)
    far = x + 10**size * torch.randn(x.shape, generator=generator)
    projected = threat.project(far, x)
    assert (threat.distance(projected - x) <= epsilon * (1 + 1e-5) + 1e-6).all()
    assert projected.abs().max() <= 1
    assert torch.allclose(threat.project(projected, x), projected, atol=1e-6)
    inside = x + (projected - x) * 0.5
    assert torch.allclose(threat.project(inside, x), inside, atol=1e-6)


@pytest.mark.parametrize("norm", [LINF, L2])
@given(seed=SEEDS)
def test_a_sample_lies_in_the_ball_and_fills_it(norm, seed):
    _, _, generator = case(seed)
    x, epsilon = torch.zeros(500, 4), torch.full((500,), 0.5)
    threat = ThreatModel(norm, epsilon)
    distance = threat.distance(threat.sample(x, generator))
    assert (distance <= 0.5 * (1 + 1e-6)).all()
    assert distance.max() > 0.48 and distance.min() < 0.35


@pytest.mark.parametrize("norm", [LINF, L2])
@given(seed=SEEDS)
def test_no_step_of_size_epsilon_rises_more_than_the_steepest(norm, seed):
    gradient, epsilon, generator = case(seed)
    threat = ThreatModel(norm, epsilon, bounds=(-torch.inf, torch.inf))
    steepest = threat.steepest(gradient)
    assert torch.allclose(threat.distance(steepest), epsilon, rtol=1e-4)
    rise = (gradient * steepest).flatten(1).sum(1)
    for _ in range(20):
        other = threat.sample(torch.zeros_like(gradient), generator)
        assert (rise >= (gradient * other).flatten(1).sum(1) - 1e-6).all()


def test_a_threat_can_be_taken_apart():
    threat = ThreatModel(LINF, torch.tensor([0.1, 0.2, 0.3]))
    assert threat[torch.tensor([2, 0])].epsilon.tolist() == pytest.approx([0.3, 0.1])


@pytest.mark.parametrize(
    "norm, epsilon, message", [("l7", 1.0, "no norm 'l7'"), (LINF, -1.0, "must not be negative"),
                               (L2, float("nan"), "NaN")],
)  # fmt: skip
def test_impossible_threats_are_refused(norm, epsilon, message):
    with pytest.raises(ValueError, match=message):
        ThreatModel(norm, torch.tensor([epsilon]))


def test_criteria_grow_towards_success():
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    leave = Misclassification(torch.tensor([0, 0]))
    reach = TargetedMisclassification(torch.tensor([0, 1]))
    assert leave.is_adversarial(logits).tolist() == [False, True]
    assert reach.is_adversarial(logits).tolist() == [True, True]
    assert leave.loss(logits)[1] > leave.loss(logits)[0]
    assert reach[torch.tensor([1])].target.tolist() == [1]
    step = torch.tensor([[-1.0, 1.0, 0.0]])
    first = leave[torch.tensor([0])]
    assert first.loss(logits[:1] + step) > first.loss(logits[:1])


def test_an_l2_sample_is_uniform_in_the_ball():
    x = torch.zeros(4_000, 4)
    threat = ThreatModel(L2, torch.ones(4_000))
    distance = threat.distance(threat.sample(x, torch.Generator().manual_seed(0)))
    assert (distance < 0.5).double().mean().item() == pytest.approx(0.5**4, abs=0.02)


@pytest.mark.parametrize("norm", [LINF, L2])
def test_a_clip_beyond_full_scale_keeps_its_ball(norm):
    x = torch.tensor([[1.5, -3.0, 0.2]])
    threat = ThreatModel(norm, torch.tensor([0.01]))
    generator = torch.Generator().manual_seed(0)
    for moved in (threat.sample(x, generator), threat.project(x + 1, x), threat.project(x - 1, x)):
        assert (threat.distance(moved - x) <= 0.01 * (1 + 1e-4)).all()
        assert moved.abs().max() <= 3.0  # no further out than the clip itself
