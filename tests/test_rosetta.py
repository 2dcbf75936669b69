"""True = proven = broken on the linear classifier, and smoothing keeps its promise there."""

import pytest
import torch
from rosetta import rosetta

from robustaudio.attacks import FGSM, PGD
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import MARGIN, Verifier
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.engine import measure_clip
from robustaudio.evaluation.smallest import changing_levels
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import ThreatModel

UNBOUNDED = (-torch.inf, torch.inf)
INSIDE, OUTSIDE = 0.999, 1.001


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("norm", [LINF, L2])
def test_the_proof_holds_just_inside_the_true_radius_and_not_outside(norm, seed):
    case = rosetta(seed)
    verifier, radius = Verifier(case.classifier), case.radius(norm)
    assert verifier.verify(case.x, case.label, ThreatModel(norm, radius * INSIDE)).verified.all()
    assert not verifier.verify(
        case.x, case.label, ThreatModel(norm, radius * OUTSIDE)
    ).verified.any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("norm", [LINF, L2])
@pytest.mark.parametrize("attack", [FGSM(), PGD(steps=60, restarts=2)], ids=["fgsm", "pgd"])
def test_an_attack_succeeds_just_outside_the_true_radius_and_not_inside(attack, norm, seed):
    """With two labels the gradient points straight at the boundary: one step is enough."""
    case = rosetta(seed, labels=2)
    for share, succeeds in ((INSIDE, False), (OUTSIDE, True)):
        threat = ThreatModel(norm, case.radius(norm) * share, bounds=UNBOUNDED)
        criterion, generator = Misclassification(case.label), torch.Generator().manual_seed(seed)
        result = attack(case.classifier, case.x, criterion, threat, generator=generator)
        assert bool(result.is_adversarial.all()) is succeeds
        assert bool(result.is_adversarial.any()) is succeeds


def test_smoothing_over_certifies_at_most_as_often_as_alpha_allows():
    """The smoothed linear classifier decides as the classifier itself, with the same l2 radius
    (two labels; Cohen et al. 2019, appendix B): a larger certificate is a wrong one."""
    case = rosetta(1, labels=2, points=12)
    true, alpha, runs = case.radius(L2), 0.05, 20
    smoothing = Smoothing(sigma=0.25, n0=20, n=200, alpha=alpha)
    wrong, total, ratios = 0, 0, []
    generator = torch.Generator().manual_seed(0)
    for _ in range(runs):
        for x, y, r in zip(case.x, case.label, true, strict=True):
            certificate = smoothing(case.classifier, x, generator=generator).certificate
            if certificate.prediction is None:
                continue
            total += 1
            wrong += certificate.prediction != int(y) or certificate.radius > float(r)
            ratios.append(certificate.radius / float(r))
    assert total > 100
    # three standard deviations of a binomial above its mean
    assert wrong <= alpha * total + 3 * (alpha * (1 - alpha) * total) ** 0.5
    assert 0.3 < sorted(ratios)[len(ratios) // 2] < 1


@pytest.mark.parametrize("norm", [LINF, L2])
def test_a_margin_smaller_than_the_rounding_allowance_is_no_proof(norm):
    case = rosetta(0)
    layer = case.classifier.network[-1]
    rows = layer.weight[case.label][:, None] - layer.weight
    steepest = torch.linalg.vector_norm(rows, norm.dual, dim=2).amax(1).detach()
    epsilon = case.radius(norm) - 0.5 * MARGIN / steepest  # leaves a margin in (0, MARGIN)
    verifier = Verifier(case.classifier)
    assert not verifier.verify(case.x, case.label, ThreatModel(norm, epsilon)).verified.any()


@pytest.mark.parametrize("norm", [LINF, L2])
def test_the_largest_level_is_the_true_one(norm):
    case = rosetta(1)
    true = 20 * (case.radius(norm) / norm.reference(case.x)).log10()
    below = true < -0.1  # levels end at 0 dB
    found = Verifier(case.classifier).largest_level(case.x[below], case.label[below], norm)
    assert ((true[below] - found > 0) & (true[below] - found < 0.08)).all()


@pytest.mark.parametrize("norm", [LINF, L2])
def test_the_smallest_broken_level_is_the_true_one(norm):
    case = rosetta(2, labels=2)
    for x, radius in zip(case.x[:4], case.radius(norm), strict=False):
        true = 20 * float((radius / norm.reference(x[None])).log10())
        level = measure_clip(changing_levels, case.classifier, x, Plan(PGD(steps=60), norm))
        assert true <= level <= true + 0.1


def test_a_certificate_belongs_to_its_item():
    case = rosetta(0)
    epsilon = case.radius(L2) * torch.linspace(0.1, 0.9, len(case.x))
    result = Verifier(case.classifier).verify(case.x, case.label, ThreatModel(L2, epsilon))
    for item, radius in enumerate(epsilon.tolist()):
        certificate = result.certificate(item)
        assert certificate.radius == pytest.approx(radius)
        assert certificate.prediction == int(case.label[item])


def test_the_bounds_of_the_logits_are_exact():
    case = rosetta(0)
    epsilon = case.radius(LINF)
    bounds = Verifier(case.classifier).logits(case.x, ThreatModel(LINF, epsilon))
    logits = case.classifier(case.x)
    reach = epsilon[:, None] * case.classifier.network[-1].weight.abs().sum(1)
    torch.testing.assert_close(bounds.upper, logits + reach)
    torch.testing.assert_close(bounds.lower, logits - reach)
