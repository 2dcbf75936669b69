"""JSMA: few features, each by the same size, those of the highest saliency first."""

import pytest
import torch
from small import TIME, clips, run
from torch import nn

from robustaudio.attacks import JSMA
from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
from robustaudio.threats.norms import L2, LINF

ROWS = torch.tensor([[-1.0, 2.0, 0.0, 0.0, -3.0, 0.5], [2.5, -1.0, 0.0, 5.0, 3.0, -3.0]])
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
    """Slopes of Z1 - Z0: 3.5, -3, 0, 5, 6, -3.5; feature 2 does nothing: it never changes.
    Feature 5 can fall by 0.05 before it meets the bounds: it comes last, and goes no further."""
    model, x = Linear(), torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0, -0.95]])
    run(JSMA(share=1.0, at_once=1), x, 0.1, model=model, criterion=criterion)
    changes = torch.stack(model.points).diff(dim=0)
    by_hand = torch.zeros(6, 6)
    for step, (feature, change) in enumerate([(4, 0.1), (3, 0.1), (0, 0.1), (1, -0.1), (5, -0.05)]):
        by_hand[step, feature] = change
    assert torch.allclose(changes, by_hand)


def test_a_handful_at_once_is_the_same_handful():
    model = Linear()
    run(JSMA(share=0.5, at_once=2), torch.zeros(1, 6), 0.1, model=model, criterion=KEPT)
    changed = [(p != 0).nonzero().flatten().tolist() for p in model.points]
    assert changed[:2] == [[], [3, 4]] and changed[2] in ([0, 3, 4], [3, 4, 5])  # 0 and 5: a tie


@pytest.mark.parametrize("kind", [Misclassification, TargetedMisclassification])
def test_the_slope_of_the_loss_orders_features_as_the_saliency_map_of_probabilities_does(kind):
    """Papernot et al. 2016, eq. 8, from the Jacobian of the softmax, for what is to rise."""
    torch.manual_seed(0)
    x, rows = torch.randn(6, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: (rows @ x).softmax(0), x)
    goal = jacobian[2] if kind is TargetedMisclassification else jacobian.sum(0) - jacobian[2]
    others = jacobian.sum(0) - goal
    saliency = -goal * others
    assert (saliency >= 0).all()
    x.requires_grad_()
    kind(torch.tensor([2])).loss((rows @ x)[None]).sum().backward()
    assert torch.equal(saliency.argsort(), x.grad.abs().argsort())


@pytest.mark.parametrize("norm, size", [(LINF, 0.05), (L2, 0.05 / 10**0.5)])
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
    size = 0.05 if norm is LINF or most == 1 else size
    assert torch.allclose(change[changed], torch.tensor(size), atol=1e-6)


def test_more_features_break_more():
    x = clips(count=40)
    broken = [int(run(JSMA(share, 4), x, 0.5).is_adversarial.sum()) for share in (0.05, 0.2, 0.8)]
    assert broken == sorted(broken) and broken[0] < broken[-1]
