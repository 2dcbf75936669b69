"""JSMA: few features, each by the same size, those of the highest saliency first."""

import pytest
import torch
from small import TIME, clips, run
from torch import nn

from robustaudio.attacks import JSMA
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification

ROWS = torch.tensor([[-1.0, 2.0, 1.0, 0.0, -3.0, 0.5], [2.5, -1.0, 1.0, 5.0, 3.0, -3.0]])
KEPT, OTHER = Misclassification(torch.tensor([0])), TargetedMisclassification(torch.tensor([1]))


class Linear(nn.Module):
    """Logits (10, 0) + ROWS x: nothing within reach changes the decision. It notes the points."""

    def __init__(self):
        super().__init__()
        self.points = []

    def forward(self, x):
        self.points.append(x.detach()[0])
        return x @ ROWS.T + torch.tensor([10.0, 0.0])


@pytest.mark.parametrize("criterion", [KEPT, OTHER], ids=["untargeted", "targeted"])
def test_the_order_of_the_features_by_hand(criterion):
    """Saliency -(dZ0/dx)(dZ1/dx) = 2.5, 2, -1, 0, 9, 1.5 (Papernot et al. 2016, eq. 8): 4, 0, 1, 5
    in this order, upwards where Z1 rises; 2 raises both, 3 does nothing to Z0: never."""
    model = Linear()
    run(JSMA(share=1.0, at_once=1), torch.zeros(1, 6), 0.1, model=model, criterion=criterion)
    path = torch.stack(model.points)
    changes = path.diff(dim=0)
    by_hand = torch.zeros(6, 6)
    for step, (feature, sign) in enumerate([(4, 1), (0, 1), (1, -1), (5, -1)]):
        by_hand[step, feature] = 0.1 * sign
    assert torch.allclose(changes, by_hand)


def test_a_handful_at_once_is_the_same_handful():
    model = Linear()
    run(JSMA(share=0.5, at_once=2), torch.zeros(1, 6), 0.1, model=model, criterion=KEPT)
    assert [(p != 0).nonzero().flatten().tolist() for p in model.points] == [[], [0, 4], [0, 1, 4]]


@pytest.mark.parametrize("norm, size", [("linf", 0.05), ("l2", 0.05 / 10**0.5)])
@pytest.mark.parametrize("share, most", [(0.25, 10), (0.01, 1)])
def test_no_more_features_change_than_may_and_all_by_the_same_size(norm, size, share, most):
    """In l2 ten features share epsilon: each has epsilon / sqrt(10)."""
    x = clips(count=20) * 0.5
    result = run(JSMA(share=share, at_once=4), x, 0.05, norm)
    change = (result.adversarial - x).abs()
    changed = change > 0
    assert most == max(1, int(share * TIME)) and (changed.sum(1) <= most).all()
    failed = ~result.is_adversarial
    assert failed.sum() > 10 and (changed.sum(1)[failed] > most / 2).all()
    size = 0.05 if norm == "linf" or most == 1 else size
    assert torch.allclose(change[changed], torch.tensor(size), atol=1e-6)


def test_more_features_break_more():
    x = clips(count=40)
    broken = [int(run(JSMA(share, 4), x, 0.5).is_adversarial.sum()) for share in (0.05, 0.2, 0.8)]
    assert broken == sorted(broken) and broken[0] < broken[-1]
