"""The bookkeeping: what was found stands, whatever was asked afterwards."""

import pytest
import torch
from torch import nn

from robustaudio.attacks.search import DECISIVE, Search
from robustaudio.threats.criterion import Misclassification
from robustaudio.threats.norms import LINF
from robustaudio.threats.threat_model import UNBOUNDED, ThreatModel

EPS = torch.finfo(torch.float32).eps


class Above(nn.Module):
    """Label 1 where the first sample is above 1."""

    def forward(self, x):
        return torch.stack([torch.ones_like(x[:, 0]), x[:, 0]], 1)


def search(epsilon: float = 2.5, count: int = 1, **options) -> Search:
    threat = ThreatModel(LINF, torch.full((count,), epsilon), bounds=UNBOUNDED)
    label = torch.zeros(count, dtype=torch.long)
    return Search(Above(), torch.zeros(count, 2), Misclassification(label), threat, **options)


def ask(one: Search, *points: float, rank=None) -> list[bool]:
    """Asks at first samples, one after the other; where the criterion was met."""
    fooled = []
    for point in points:
        one.ask(torch.tensor([[point, 0.0]]), torch.tensor([0]), rank)
        fooled += one.fooled.tolist()
    return fooled


def test_the_nearest_success_stays():
    one = search()
    assert ask(one, 0.5, 2.0, 1.5, 1.8, 0.9) == [False, True, True, True, False]
    result = one.result()
    assert result.is_adversarial.all() and float(result.adversarial[0, 0]) == 1.5
    assert float(result.distance) == 1.5 and int(result.queries) == 5


def test_of_failures_the_highest_loss_stays():
    one = search()
    ask(one, 0.2, 0.8, 0.5)
    result = one.result()
    assert not result.is_adversarial.any()
    assert float(result.adversarial[0, 0]) == pytest.approx(0.8)


def test_an_attack_may_say_which_success_it_wants():
    one = search()
    ask(one, 1.5, 2.0, 1.8, rank=lambda delta, loss, index: -loss)
    assert float(one.result().adversarial[0, 0]) == 2.0


def test_a_success_outside_the_ball_is_none_and_neither_is_a_failure_there():
    one = search(0.5)
    assert ask(one, 3.0, 0.9, 0.4) == [True, False, False]
    result = one.result()
    assert not result.is_adversarial.any()
    assert float(result.adversarial[0, 0]) == pytest.approx(0.4)


def test_the_surface_of_the_ball_is_inside_however_it_was_rounded():
    one = search(1.5)
    ask(one, 1.5 * (1 + EPS))
    assert one.result().is_adversarial.all()
    one = search(1.5)
    ask(one, 1.5 * (1 + 20 * EPS))
    assert not one.result().is_adversarial.any()


def test_a_success_by_no_more_than_rounding_is_none():
    assert ask(search(), 1 + DECISIVE / 2 * EPS, 1 + 2 * DECISIVE * EPS) == [False, True]


def test_a_success_of_less_than_the_confidence_is_none():
    one = search(confidence=0.5)
    assert ask(one, 1.4, 1.6, 1.45) == [False, True, False]
    assert float(one.result().adversarial[0, 0]) == pytest.approx(1.6)


def test_every_item_has_its_own_best_and_its_own_count():
    one = search(count=3)
    one.ask(torch.tensor([[1.2, 0.0], [0.3, 0.0]]), torch.tensor([2, 0]))
    one.ask(torch.tensor([[2.0, 0.0]]), torch.tensor([2]))
    result = one.result()
    assert result.adversarial[:, 0].tolist() == pytest.approx([0.3, 0.0, 1.2])
    assert result.is_adversarial.tolist() == [False, False, True]
    assert result.queries.tolist() == [1, 0, 2]
