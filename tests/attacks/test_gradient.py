"""FGSM, BIM, PGD, momentum and APGD: how they relate, and the numbers of their papers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rosetta import rosetta
from small import Centred, clips, listening, network, run
from torch import nn

from robustaudio.attacks import APGD, BIM, FGSM, MIFGSM, PGD
from robustaudio.attacks.apgd import _checkpoints, difference_of_logits_ratio
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel


@pytest.mark.parametrize("norm", [LINF, L2])
def test_one_step_of_size_epsilon_from_the_clip_is_fgsm(norm):
    x = clips()
    fgsm = run(FGSM(), x, 0.05, norm).adversarial
    for attack in (PGD(1, 1, 1.0, False), BIM(1, 1.0), BIM(1, 1.0, "b"), MIFGSM(1)):
        assert torch.allclose(run(attack, x, 0.05, norm).adversarial, fgsm, atol=1e-7)


def test_fgsm_is_the_sign_of_the_gradient():
    """Goodfellow et al. 2014: x + epsilon sign(grad)."""
    model, x = network(), clips(count=1)
    x.requires_grad_()
    nn.functional.cross_entropy(model(x), model(x).argmax(1)).backward()
    expected = (x + 0.01 * x.grad.sign()).clamp(-1, 1).detach()
    assert torch.allclose(run(FGSM(), x.detach(), 0.01).adversarial, expected)


def test_fooled_clips_stop_asking():
    queries = run(PGD(), clips(), 0.15).queries
    assert queries.min() < queries.max() == 41


class Leaky(Centred):
    """Projects to a hair outside the ball, as the masking set's projection once did."""

    def around(self, x):
        return lambda point: x + 1.01 * self.epsilon[:, None] * (point - x).sign()


@pytest.mark.parametrize("attack", [PGD(), BIM(40), MIFGSM(40)])
def test_a_clip_that_is_fooled_only_outside_the_ball_goes_on_asking(attack):
    result = run(attack, clips(), 0.3, kind=Leaky)
    assert not result.is_adversarial.any()
    assert result.queries.min() == result.queries.max()


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


@pytest.mark.parametrize("norm", [LINF, L2])
def test_bim_is_pgd_from_the_clip(norm):
    x = clips()
    bim, pgd = BIM(12, 0.2), PGD(12, 1, 0.2, random_start=False)
    assert torch.equal(run(bim, x, 0.15, norm).adversarial, run(pgd, x, 0.15, norm).adversarial)


def test_bim_goes_on_in_variant_b_and_is_surer():
    model, x = network(), clips(count=20)
    criterion = Misclassification(model(x).argmax(1))
    a, b = (run(BIM(variant=v), x, 0.3, criterion=criterion, model=model) for v in "ab")
    assert torch.equal(a.is_adversarial, b.is_adversarial) and a.is_adversarial.sum() > 10
    loss_a, loss_b = (criterion.loss(model(r.adversarial)) for r in (a, b))
    assert (loss_b >= loss_a - 1e-6).all()
    assert (loss_b > loss_a + 0.02)[a.is_adversarial].all()
    assert (b.queries == 21).all() and (a.queries < 21)[a.is_adversarial].any()


@pytest.mark.parametrize("norm", [LINF, L2])
def test_momentum_without_memory_is_bim(norm):
    x = clips()
    plain = run(BIM(10, 0.1), x, 0.1, norm).adversarial
    assert torch.allclose(run(MIFGSM(10, decay=0.0), x, 0.1, norm).adversarial, plain, atol=1e-6)
    assert not torch.allclose(run(MIFGSM(10, 1.0), x, 0.1, norm).adversarial, plain, atol=1e-5)


class Bend(nn.Module):
    """The gradient points to (1, 0) at first, and to (-1, 1), ten times as long, from x0 = 0.4."""

    def forward(self, x):
        a, b = x.unbind(1)
        slope = torch.where(a < 0.4, a, 5 * (1 - a + b))
        return torch.stack([torch.full_like(a, 10.0), slope], 1)


def test_momentum_carries_on_where_the_gradient_turns():
    """By hand, steps of 0.25, gradients over their l1 norm: g1 = (1, 0), g2 = g1 + (1, 0),
    g3 = g2 + (-1/2, 1/2) = (3/2, 1/2): x0 still rises at the third step, where without momentum
    it turns back."""
    seen = []

    class Recorder(Bend):
        def forward(self, x):
            seen.append(x.detach()[0].tolist())
            return super().forward(x)

    for decay in (1.0, 0.0):
        run(MIFGSM(4, decay), torch.zeros(1, 2), 1.0, model=Recorder(),
            criterion=Misclassification(torch.tensor([0])))  # fmt: skip
    with_momentum, without = seen[:5], seen[5:]
    assert with_momentum[3] == pytest.approx([0.75, 0.25], abs=1e-6)
    assert without[3] == pytest.approx([0.25, 0.25], abs=1e-6)


def test_the_checkpoints_of_100_steps_are_those_of_the_paper():
    """Croce & Hein 2020, section 3.1, by hand: p = .22, .41, .57, .70, .80, .87, .93, .99."""
    checkpoints = {at: since for at, since in _checkpoints(100).items() if at <= 100}
    assert list(checkpoints) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoints.values()) == [22, 19, 16, 13, 10, 7, 6, 6]


@given(steps=st.integers(2, 300))
def test_checkpoints_add_up_and_leave_no_step_out(steps):
    checkpoints = _checkpoints(steps)
    assert all(since >= 1 for since in checkpoints.values())
    assert sum(checkpoints.values()) == max(checkpoints) >= steps


def test_the_difference_of_logits_ratio_by_hand():
    """z = (4, 1, 3, -2, 0): the spread is 4 - (1 + 0) / 2 = 7/2; the margin of label 0 is 1."""
    logits = torch.tensor([[4.0, 1.0, 3.0, -2.0, 0.0]])
    ratios = [
        float(difference_of_logits_ratio(logits, kind(torch.tensor([label]))))
        for kind, label in ((Misclassification, 0), (Misclassification, 2),
                            (TargetedMisclassification, 2), (TargetedMisclassification, 1))
    ]  # fmt: skip
    assert ratios == pytest.approx([-2 / 7, 2 / 7, -2 / 7, -6 / 7])
    three = difference_of_logits_ratio(logits[:, :3], Misclassification(torch.tensor([0])))
    assert float(three) == pytest.approx(-1 / 3)


@given(seed=st.integers(0, 1_000), log_scale=st.floats(-3, 3), labels=st.integers(3, 8))
def test_no_scale_and_no_shift_of_the_logits_changes_the_ratio(seed, log_scale, labels):
    logits = torch.randn(4, labels, generator=torch.Generator().manual_seed(seed)).double()
    criterion = Misclassification(torch.arange(4) % labels)
    ratio = difference_of_logits_ratio(logits, criterion)
    other = difference_of_logits_ratio(10**log_scale * logits + 1.5, criterion)
    assert torch.allclose(ratio, other, atol=1e-8)
    assert torch.equal(ratio > 0, criterion.is_adversarial(logits))


@pytest.mark.parametrize("loss", ["ce", "dlr"])
@pytest.mark.parametrize("norm", [LINF, L2])
def test_apgd_succeeds_just_outside_the_true_radius_and_not_inside(norm, loss):
    case = rosetta(0, labels=2)
    for share, succeeds in ((0.999, False), (1.001, True)):
        threat = ThreatModel(norm, case.radius(norm) * share, bounds=UNBOUNDED)
        result = APGD(loss=loss)(
            case.classifier, case.x, Misclassification(case.label), threat,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        assert bool(result.is_adversarial.all()) is bool(result.is_adversarial.any()) is succeeds


@pytest.mark.parametrize("norm, epsilon", [(LINF, 0.12), (L2, 0.8)])
def test_apgd_is_not_worse_than_pgd_at_equal_steps(norm, epsilon):
    x = clips(count=300)
    kinds = (APGD(steps=20), PGD(steps=20), PGD(steps=20, step_size=0.3))
    adaptive, *fixed = (int(run(kind, x, epsilon, norm).is_adversarial.sum()) for kind in kinds)
    assert 60 < max(fixed) <= adaptive < 280


class Hill(nn.Module):
    """The loss is highest at 0.3137, where it does not fool."""

    def forward(self, x):
        z = -1 - (x[:, 0] - 0.3137).square()
        return torch.stack([torch.zeros_like(z), z], 1)


def test_apgd_halves_its_steps_until_it_stands_on_the_top():
    x = torch.zeros(16, 1)
    label = torch.zeros(16, dtype=torch.long)
    criterion = Misclassification(label)
    result = run(APGD(), x, 1.0, model=Hill(), criterion=criterion, progress=listening)
    assert (result.adversarial - 0.3137).abs().max() < 0.005
    late = result.history[-5:]
    assert max(step.loss for step in late) - min(step.loss for step in late) < 1e-3


def test_the_ratio_finds_its_way_where_the_cross_entropy_is_blind():
    """Logits times 1000: float32's cross-entropy has no gradient left (Croce & Hein, 4.1)."""

    class Loud(nn.Module):
        def forward(self, x):
            return 1_000 * quiet(x)

    quiet, x = network(), clips(count=30)
    blind, seeing = (
        run(APGD(steps=20, loss=loss), x, 0.3, model=Loud(), kind=Centred).is_adversarial.sum()
        for loss in ("ce", "dlr")
    )
    assert blind < 0.7 * seeing


def test_apgd_starts_again_for_those_that_are_left():
    queries = run(APGD(steps=10, restarts=3), clips(), 0.1).queries
    assert queries.max() == 33 and queries.min() < 33
