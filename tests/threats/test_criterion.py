"""Criteria: margin and boundaries tell one story."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustaudio.threats.criterion import Misclassification, TargetedMisclassification

KINDS = pytest.mark.parametrize("kind", [Misclassification, TargetedMisclassification])
LOGITS = torch.tensor([[2.0, 1.0, -1.0], [2.0, 1.0, -1.0]])


def case(seed: int, labels: int):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(8, labels, generator=generator)
    return logits, torch.randint(labels, (8,), generator=generator)


@KINDS
@given(seed=st.integers(0, 10_000), labels=st.integers(2, 6))
def test_the_margin_is_negative_where_the_criterion_is_met(kind, seed, labels):
    logits, label = case(seed, labels)
    criterion = kind(label)
    assert torch.equal(criterion.margin(logits) < 0, criterion.is_adversarial(logits))


@KINDS
@given(seed=st.integers(0, 10_000), labels=st.integers(2, 6))
def test_the_next_boundary_is_as_far_as_the_margin(kind, seed, labels):
    """Any boundary or all of them: in logits, the margin is the height over the one that counts."""
    logits, label = case(seed, labels)
    height = kind(label).boundaries(logits)
    chosen = kind(label).next_boundary(height)
    assert torch.allclose(height.gather(1, chosen[:, None])[:, 0], kind(label).margin(logits))
    assert (chosen != label).all()


def test_surprise_is_the_logarithm_of_the_probability_of_success():
    probability = LOGITS.softmax(1)
    leave, reach = (
        kind(torch.tensor([0, 1])) for kind in (Misclassification, TargetedMisclassification)
    )
    own = probability[[0, 1], [0, 1]]
    assert torch.allclose(leave.surprise(LOGITS), -(1 - own).log())
    assert torch.allclose(reach.surprise(LOGITS), -own.log())


def test_leaving_a_label_by_hand():
    criterion = Misclassification(torch.tensor([0, 1]))
    assert criterion.margin(LOGITS).tolist() == [1, -1]
    assert criterion.boundaries(LOGITS).tolist() == [[torch.inf, 1, 3], [-1, torch.inf, 2]]
    assert criterion.next_boundary(criterion.boundaries(LOGITS)).tolist() == [1, 0]


def test_reaching_a_target_by_hand():
    criterion = TargetedMisclassification(torch.tensor([2, 0]))
    assert criterion.margin(LOGITS).tolist() == [3, -1]
    assert criterion.boundaries(LOGITS).tolist() == [[3, 2, -torch.inf], [-torch.inf, -1, -3]]
    assert criterion.next_boundary(criterion.boundaries(LOGITS)).tolist() == [0, 1]


@KINDS
def test_a_criterion_can_be_taken_apart(kind):
    some = kind(torch.tensor([2, 0, 1]))[torch.tensor([2, 0])]
    assert some.margin(LOGITS).tolist() == kind(torch.tensor([1, 2])).margin(LOGITS).tolist()
