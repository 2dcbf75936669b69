"""Psychoacoustic: the second stage hides what the first has found."""

from dataclasses import replace

import pytest
import torch
from small import TIME, clips, network, run, threat_to
from torch import nn

from robustaudio.attacks import CarliniWagnerAudio, Psychoacoustic
from robustaudio.attacks import attack as module
from robustaudio.perception.audibility import max_noise_to_mask_db, noise_to_mask_ratio
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import L2, LINF

FIRST = CarliniWagnerAudio(steps=40)
ATTACK = Psychoacoustic(steps=40, hiding_steps=300)


class Sensitive(nn.Module):
    """Linear: a linf size of 6e-5 changes the decision, ten times what a clip masks here."""

    def __init__(self, x):
        super().__init__()
        self.x, self.row = x, torch.randn(TIME, generator=torch.Generator().manual_seed(1)).double()

    def forward(self, x):
        over = (x - self.x) @ self.row / (6e-5 * self.row.abs().sum()) - 1
        return torch.stack([torch.zeros_like(over), over], 1)


def loudest_db(result) -> torch.Tensor:
    x = result.original
    threshold = threat_to(ATTACK, x, 1.0).threshold
    return max_noise_to_mask_db(noise_to_mask_ratio(result.adversarial - x, threshold))


@pytest.mark.parametrize("norm, epsilon, gain_db", [(LINF, 3e-4, 0), (L2, 7e-4, 10)])
def test_the_second_stage_loses_no_success_and_lowers_the_loudest_band(norm, epsilon, gain_db):
    x = clips(count=8).double()
    model, criterion = Sensitive(x), Misclassification(torch.zeros(8, dtype=torch.long))
    first, second = (
        run(a, x, epsilon, norm, model=model, criterion=criterion) for a in (FIRST, ATTACK)
    )
    assert first.is_adversarial.all() and second.is_adversarial.all()
    before, after = loudest_db(first), loudest_db(second)
    assert (before - after >= gain_db - 1e-6).all()


def test_of_all_successes_the_best_hidden_is_kept(monkeypatch):
    """The points of the second stage are written down: none that fools has a lower maximum."""
    seen, x = [], clips(count=5).double()
    model, criterion = Sensitive(x), Misclassification(torch.zeros(5, dtype=torch.long))
    threat = threat_to(ATTACK, x, 5e-4, L2)  # so small that something stays audible

    class Watched(module.Search):
        def ask(self, point, index, rank=None, projected=False):
            logits = super().ask(point, index, rank, projected)
            ratio = noise_to_mask_ratio(point.detach() - x, threat.threshold)
            if rank is not None:
                seen.append(max_noise_to_mask_db(ratio).where(self.fooled, torch.inf))
            return logits

    monkeypatch.setattr(module, "Search", Watched)
    result = ATTACK(model, x, criterion, threat, generator=torch.Generator())
    best = torch.stack(seen).amin(0)
    assert result.is_adversarial.all() and len(seen) == ATTACK.hiding_steps
    assert (loudest_db(result) <= best + 1e-4).all()


def test_each_clip_hides_under_its_own_threshold():
    x = clips(count=2)
    x[1] *= 0.01
    epsilon = torch.tensor([1.0, 0.01])
    threat = replace(threat_to(ATTACK, x, 1.0), epsilon=epsilon)
    ratio = threat.threshold.amplitude[0].mean() / threat.threshold.amplitude[1].mean()
    assert ratio > 10
    model = network()
    label = model(x).argmax(1)
    result = ATTACK(model, x, Misclassification(label), threat, generator=torch.Generator())
    assert (threat.distance(result.adversarial - x) <= epsilon * (1 + 1e-5)).all()


def test_without_a_masking_threshold_it_refuses():
    x = clips()
    bare = replace(threat_to(ATTACK, x, 0.1), threshold=None)
    criterion = Misclassification(network()(x).argmax(1))
    with pytest.raises(ValueError, match="needs the masking threshold of the clips"):
        ATTACK(network(), x, criterion, bare, generator=torch.Generator())
