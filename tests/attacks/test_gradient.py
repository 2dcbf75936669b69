"""Every attack stays in its budget and bounds, repeats itself, and only gets better with budget."""

from dataclasses import fields, is_dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from robustaudio.attacks import ATTACKS, FGSM, PGD
from robustaudio.perception.metrics import SIZES
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.threat_model import ThreatModel

TIME = 40


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(TIME, 16), nn.Tanh(), nn.Linear(16, 3)).eval()


def clips(seed: int = 0, count: int = 6) -> torch.Tensor:
    return torch.rand(count, TIME, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def run(attack, x, epsilon, norm="linf", seed=0, criterion=None, model=None):
    model = model or network()
    threat = ThreatModel(norm, torch.full((len(x),), epsilon))
    criterion = criterion or Misclassification(model(x).argmax(1))
    return attack(model, x, criterion, threat, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("norm", SIZES)
@settings(max_examples=8)
@given(seed=st.integers(0, 1_000), log_epsilon=st.floats(-4, 0.5))
def test_the_output_lies_in_budget_and_bounds_and_says_so(name, norm, seed, log_epsilon):
    x, epsilon = clips(seed), 10**log_epsilon
    model = network(seed)
    result = run(ATTACKS[name](), x, epsilon, norm, seed, model=model)
    assert (result.distance <= epsilon * (1 + 1e-5) + 1e-6).all()
    assert result.adversarial.abs().max() <= 1
    assert torch.equal(result.distance, SIZES[norm](result.adversarial - x))
    changed = model(result.adversarial).argmax(1) != model(x).argmax(1)
    assert torch.equal(result.is_adversarial, changed)
    assert not result.adversarial.requires_grad


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_a_frozen_dataclass_with_a_default_for_every_option(name):
    kind = ATTACKS[name]
    assert is_dataclass(kind) and kind.__dataclass_params__.frozen
    assert kind() == kind()
    assert all("help" in field.metadata for field in fields(kind))


@pytest.mark.parametrize("norm", SIZES)
def test_one_step_of_size_epsilon_from_the_clip_is_fgsm(norm):
    x = clips()
    by_hand = run(PGD(steps=1, restarts=1, step_size=1.0, random_start=False), x, 0.05, norm)
    assert torch.equal(by_hand.adversarial, run(FGSM(), x, 0.05, norm).adversarial)


def test_fgsm_is_the_sign_of_the_gradient():
    """Goodfellow et al. 2014: x + epsilon sign(grad)."""
    model, x = network(), clips(count=1)
    x.requires_grad_()
    nn.functional.cross_entropy(model(x), model(x).argmax(1)).backward()
    expected = (x + 0.01 * x.grad.sign()).clamp(-1, 1).detach()
    assert torch.allclose(run(FGSM(), x.detach(), 0.01).adversarial, expected)


@pytest.mark.parametrize("norm", SIZES)
def test_equal_seeds_give_equal_results_and_other_seeds_do_not(norm):
    x = clips()
    first, second, third = (run(PGD(steps=5), x, 0.01, norm, seed) for seed in (1, 1, 2))
    assert torch.equal(first.adversarial, second.adversarial)
    assert not torch.equal(first.adversarial, third.adversarial)


def test_without_random_start_a_batch_equals_its_clips_one_by_one():
    x, attack = clips(), PGD(steps=8, random_start=False)
    together = run(attack, x, 0.1)
    for i in range(len(x)):
        alone = run(attack, x[i : i + 1], 0.1)
        assert torch.allclose(alone.adversarial[0], together.adversarial[i], atol=1e-6)
        assert int(alone.queries) == int(together.queries[i])


def test_more_budget_breaks_more_clips():
    x = clips(count=40)
    shares = [float(run(PGD(), x, e).is_adversarial.float().mean()) for e in (0.01, 0.05, 0.2, 1)]
    assert shares == sorted(shares) and shares[0] < shares[-1] == 1


def test_a_target_is_reached_and_fooled_clips_stop_asking():
    model, x = network(), clips()
    target = (model(x).argmax(1) + 1) % 3
    result = run(PGD(), x, 0.8, criterion=TargetedMisclassification(target), model=model)
    assert torch.equal(model(result.adversarial).argmax(1)[result.is_adversarial],
                       target[result.is_adversarial])  # fmt: skip
    assert result.is_adversarial.float().mean() > 0.8
    assert result.queries.min() < result.queries.max() <= 41


def test_progress_is_told_and_may_cancel():
    shares = []
    x = clips()

    def cancel(share: float) -> None:
        shares.append(share)
        if len(shares) > 3:
            raise KeyboardInterrupt

    threat = ThreatModel("linf", torch.full((len(x),), 1e-6))
    with pytest.raises(KeyboardInterrupt):
        PGD()(network(), x, Misclassification(network()(x).argmax(1)), threat,
              generator=torch.Generator(), progress=cancel)  # fmt: skip
    assert shares == sorted(shares) and len(shares) == 4


@pytest.mark.parametrize("options", [{"steps": 0}, {"restarts": 0}, {"step_size": 0.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match="at least 1"):
        PGD(**options)


class Valley(nn.Module):
    """Label 1 only near -1; from the right half the gradient leads away from it."""

    def forward(self, x):
        z = x[:, 0]
        return torch.stack([torch.zeros_like(z), torch.where(z < 0, -z - 0.9, z - 2)], 1)


def test_restarts_find_what_one_start_misses():
    x = torch.zeros(64, 1)

    def success(restarts: int) -> float:
        attack = PGD(steps=10, restarts=restarts)
        return float(run(attack, x, 1.0, model=Valley()).is_adversarial.float().mean())

    assert success(1) < 0.75 and success(8) > 0.95
