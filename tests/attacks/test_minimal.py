"""What looks for the smallest perturbation: close above the true radius, and never below it."""

import pytest
import torch
from rosetta import rosetta
from small import clips, network, run
from torch import nn

from robustaudio.attacks import CarliniWagner, CarliniWagnerAudio, DeepFool
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel

CW = CarliniWagner(steps=150, searches=6)
QUIET = CarliniWagnerAudio(steps=200, shrink=0.95)
NORMS = pytest.mark.parametrize("norm", [LINF, L2])


class Recorder(nn.Module):
    """A model that remembers every point it was asked for."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model, self.points = model, []

    def forward(self, x):
        self.points.append(x.detach())
        return self.model(x)


def attack_rosetta(attack, case, norm, share=4.0, criterion=None):
    """The result at a multiple of the true radius."""
    threat = ThreatModel(norm, case.radius(norm) * share, bounds=UNBOUNDED)
    criterion = criterion or Misclassification(case.label)
    return attack(case.classifier, case.x, criterion, threat, generator=torch.Generator())


@pytest.mark.parametrize("seed", range(3))
@NORMS
@pytest.mark.parametrize("overshoot", [0.02, 0.2, 0.0])
def test_deepfool_crosses_the_nearest_boundary_and_only_by_its_overshoot(overshoot, norm, seed):
    """Linear decisions are their own linearisation: one step, of (1 + overshoot) times the radius
    (Moosavi-Dezfooli et al. 2016, algorithm 2)."""
    case = rosetta(seed)
    result = attack_rosetta(DeepFool(overshoot=overshoot), case, norm)
    assert result.is_adversarial.all() and (result.queries <= 3).all()
    expected = case.radius(norm) * (1 + overshoot)
    assert torch.allclose(result.distance, expected, rtol=1e-9)
    assert (result.distance >= case.radius(norm)).all()


@NORMS
def test_deepfool_makes_for_its_target_and_takes_the_farthest_boundary(norm):
    case = rosetta(1)
    logits, layer = case.classifier(case.x), case.classifier.network[-1]
    target = logits.argmin(1)
    heights = logits - logits.gather(1, target[:, None])
    rows = layer.weight[target][:, None] - layer.weight
    size = torch.linalg.vector_norm(rows, norm.dual, dim=2)
    least = (heights / size.clamp_min(1e-9)).amax(1).detach()  # no perturbation can do with less
    criterion = TargetedMisclassification(target)
    result = attack_rosetta(DeepFool(), case, norm, 100.0, criterion)
    assert result.is_adversarial.all()
    assert torch.equal(case.classifier(result.adversarial).argmax(1), target)
    assert (result.distance >= least).all()
    assert (result.distance < 1.5 * least).double().mean() > 0.8


@pytest.mark.parametrize("share", [0.99, 0.9999, 0.999999])
def test_deepfool_crosses_a_boundary_that_is_next_to_the_clip(share):
    """There the overshoot alone is less than the rounding of the arithmetic (float32)."""
    case = rosetta(0)
    boundary = attack_rosetta(DeepFool(overshoot=0.0), case, L2).adversarial
    classifier = case.classifier.float()
    x = (case.x + share * (boundary - case.x)).float()
    criterion = Misclassification(classifier(x).argmax(1))
    threat = ThreatModel(L2, torch.ones(len(x)), bounds=UNBOUNDED)
    result = DeepFool()(classifier, x, criterion, threat, generator=torch.Generator())
    assert result.is_adversarial.all()


def test_deepfool_ends_outside_a_small_ball_and_says_so():
    case = rosetta(0)
    result = attack_rosetta(DeepFool(), case, L2, 0.9)
    assert not result.is_adversarial.any() and (result.distance <= 0.9 * case.radius(L2)).all()


@pytest.mark.parametrize("seed", range(2))
def test_carlini_and_wagner_stop_close_above_the_true_radius(seed):
    """With more labels than two they make for the runner-up, which is not always the nearest."""
    for labels, most in ((2, 1.02), (4, 1.5)):
        case = rosetta(seed, labels=labels)
        result = attack_rosetta(CW, case, L2)
        ratio = result.distance / case.radius(L2)
        assert result.is_adversarial.all()
        assert (ratio >= 1).all() and ratio.max() < most and ratio.median() < 1.02


def test_carlini_and_wagner_in_another_norm_keep_the_nearest_there():
    """They minimise l2; what they find is no nearer than the true linf radius."""
    case = rosetta(0)
    result = attack_rosetta(CW, case, LINF)
    ratio = result.distance / case.radius(LINF)
    assert result.is_adversarial.all() and (ratio >= 1).all()


@pytest.mark.parametrize("seed", range(2))
@NORMS
def test_the_quietest_stops_close_above_the_true_radius(norm, seed):
    for labels, most in ((2, 1 / QUIET.shrink), (4, 1.8)):
        case = rosetta(seed, labels=labels)
        result = attack_rosetta(QUIET, case, norm)
        ratio = result.distance / case.radius(norm)
        assert result.is_adversarial.all()
        assert (ratio >= 1).all() and ratio.max() < most + 0.01 and ratio.median() < 1.2


def test_weights_that_are_searched_find_smaller_than_deepfool_on_a_curved_network():
    model, x = network(), clips(count=12)
    cw = run(CarliniWagner(steps=80, searches=7), x, 10.0, L2, model=model)
    deepfool = run(DeepFool(), x, 10.0, L2, model=model)
    assert cw.is_adversarial.all() and deepfool.is_adversarial.all()
    ratio = (cw.distance / deepfool.distance)[deepfool.distance > 0.1]
    assert len(ratio) > 9 and ratio.max() < 1.02 and ratio.median() < 0.99


def test_more_weights_find_smaller():
    x = clips(count=12)
    one, many = (
        run(CarliniWagner(60, searches, initial_c=10.0), x, 10.0, L2) for searches in (1, 6)
    )
    found = one.is_adversarial
    assert many.is_adversarial[found].all() and found.sum() > 9
    assert (many.distance <= one.distance)[found].all()
    assert (many.distance < one.distance)[found].double().mean() > 0.8


def test_a_weight_that_is_too_small_grows():
    one, many = (
        run(CarliniWagner(60, searches, 1e-4, 0.05), clips(), 10.0, L2).is_adversarial.sum()
        for searches in (1, 6)
    )
    assert one == 0 and many >= 5


@pytest.mark.parametrize("confidence", [0.1, 0.3])
def test_confidence_is_the_margin_that_is_reached(confidence):
    model, x = network(), clips()
    criterion = Misclassification(model(x).argmax(1))
    attack = CarliniWagner(confidence=confidence)
    result = run(attack, x, 10.0, L2, model=model, criterion=criterion)
    margin = criterion.margin(model(result.adversarial))[result.is_adversarial]
    assert len(margin) > 3
    assert (margin < -confidence + 1e-6).all() and (margin > -confidence - 0.1).all()


@NORMS
def test_the_level_falls_with_every_success_and_the_quietest_is_kept(norm):
    """The search ends below the true radius, where no point succeeds: the last iterate fails."""
    case = rosetta(2)
    recorder, criterion = Recorder(case.classifier), Misclassification(case.label)
    threat = ThreatModel(norm, case.radius(norm) * 3, bounds=UNBOUNDED)
    result = QUIET(recorder, case.x, criterion, threat, generator=torch.Generator())
    points = torch.stack(recorder.points)
    size = torch.stack([threat.distance(point - case.x) for point in points])
    fooled = torch.stack([criterion.margin(case.classifier(point)) < 0 for point in points])
    assert len(points) == QUIET.steps + 1
    assert (size <= threat.epsilon * (1 + 1e-9)).all()
    for item in range(len(case.x)):
        successes = size[fooled[:, item], item]
        assert (successes[1:] <= QUIET.shrink * successes[:-1] * (1 + 1e-9)).all()
        assert float(result.distance[item]) == pytest.approx(float(successes.min()))
    assert result.is_adversarial.all() and not fooled[-1].all()


class Moody(nn.Module):
    """Any change of the clip is a success, at every second question only."""

    asked = 0

    def forward(self, x):
        self.asked += 1
        change = x.abs().amax(1)
        return torch.stack([0 * change, change if self.asked % 2 == 0 else -change - 1], 1)


def test_an_oscillating_model_does_not_take_back_what_was_found():
    model, x = Moody(), torch.zeros(4, 5)
    criterion = Misclassification(torch.zeros(4, dtype=torch.long))
    x[:, 0] = 1e-3
    result = run(CarliniWagnerAudio(steps=40), x, 0.5, model=model, criterion=criterion)
    assert model.asked % 2 == 1 and result.is_adversarial.all()  # the last iterate failed
    assert (result.distance < 0.1).all()


@NORMS
def test_what_is_quieter_than_the_ball_is_found_within_the_bounds(norm):
    x = clips() * 1.0
    x[:, :20] = x[:, :20].sign()  # half the samples at full scale
    result = run(QUIET, x, 6.0, norm)
    assert result.is_adversarial.all() and result.adversarial.abs().max() <= 1
