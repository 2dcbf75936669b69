"""What an adversary wants, as a value; one label per item of the batch.

>>> logits = torch.tensor([[3.0, 1.0, 0.0]])  # the decision is 0, by a margin of 2
>>> Misclassification(torch.tensor([0])).margin(logits)
tensor([2.])
>>> TargetedMisclassification(torch.tensor([2])).is_adversarial(logits)
tensor([False])
"""

from dataclasses import dataclass
from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.audio.tensor_checks import dtype, kind, shape


@dataclass(frozen=True, eq=False)
class Misclassification:
    """Any label but `label`.

    Raises:
        TypeError, ValueError: for anything but a row of whole numbers, one label per item.

    >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> Misclassification(torch.tensor([0, 0])).is_adversarial(logits)
    tensor([False,  True])
    """

    label: Int[Tensor, " batch"]

    def __post_init__(self):
        _check("label", self.label, "Misclassification")

    def __getitem__(self, index: Tensor) -> "Misclassification":
        return Misclassification(self.label[index])

    def loss(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """Grows towards success: cross-entropy of the label to leave."""
        return F.cross_entropy(logits, self.label, reduction="none")

    def margin(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """How far the decision is from success: negative behind the boundary."""
        return _logit(logits, self.label) - _highest_but(logits, self.label)

    def surprise(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """-log probability of success: falls towards 0, and no further."""
        others = logits.scatter(1, self.label[:, None], -inf)
        return logits.logsumexp(1) - others.logsumexp(1)

    def is_adversarial(self, logits: Float[Tensor, "batch label"]) -> Bool[Tensor, " batch"]:
        return logits.argmax(-1) != self.label

    def boundaries(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, "batch label"]:
        """Distances, in logits, from each boundary; crossing ANY of them is success."""
        return _differences(logits, self.label).scatter(1, self.label[:, None], inf)

    def next_boundary(self, distance: Float[Tensor, "batch label"]) -> Int[Tensor, " batch"]:
        """The boundary to make for: the nearest."""
        return distance.argmin(1)


@dataclass(frozen=True, eq=False)
class TargetedMisclassification:
    """Exactly `target`.

    Raises:
        TypeError, ValueError: for anything but a row of whole numbers, one label per item.

    >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> TargetedMisclassification(torch.tensor([1, 1])).is_adversarial(logits)
    tensor([False,  True])
    """

    target: Int[Tensor, " batch"]

    def __post_init__(self):
        _check("target", self.target, "TargetedMisclassification")

    def __getitem__(self, index: Tensor) -> "TargetedMisclassification":
        return TargetedMisclassification(self.target[index])

    def loss(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """Grows towards success: minus the cross-entropy of the target."""
        return -F.cross_entropy(logits, self.target, reduction="none")

    def margin(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """How far the decision is from success: negative behind the boundary."""
        return _highest_but(logits, self.target) - _logit(logits, self.target)

    def surprise(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """-log probability of success: falls towards 0, and no further."""
        return -self.loss(logits)

    def is_adversarial(self, logits: Float[Tensor, "batch label"]) -> Bool[Tensor, " batch"]:
        return logits.argmax(-1) == self.target

    def boundaries(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, "batch label"]:
        """Distances, in logits, from each boundary; ALL have to be crossed."""
        return -_differences(logits, self.target).scatter(1, self.target[:, None], inf)

    def next_boundary(self, distance: Float[Tensor, "batch label"]) -> Int[Tensor, " batch"]:
        """The boundary to make for: the farthest."""
        return distance.argmax(1)


Criterion = Misclassification | TargetedMisclassification


def labels_of(criterion: Criterion) -> tuple[str, Int[Tensor, " batch"]]:
    """The name of a criterion's labels ("label" or "target"), and the labels."""
    if isinstance(criterion, Misclassification):
        return "label", criterion.label
    return "target", criterion.target


def _check(name: str, labels: Any, criterion: str) -> None:
    if not isinstance(labels, Tensor):
        raise TypeError(
            f"{name} is {kind(labels)}; it must be a tensor of one whole number per item: "
            f"{criterion}(torch.tensor([3]))."
        )
    if labels.dtype != torch.int64:
        raise ValueError(f"{name} holds {dtype(labels)}; it must hold int64: {name}.long().")
    if labels.ndim != 1:
        raise ValueError(
            f"{name} of shape {shape(labels)} must have one axis, one label per item: (batch,)."
        )


def _logit(logits: Tensor, label: Tensor) -> Tensor:
    return logits.gather(1, label[:, None])[:, 0]


def _highest_but(logits: Tensor, label: Tensor) -> Tensor:
    """The highest logit of any other label."""
    return logits.scatter(1, label[:, None], -inf).amax(1)


def _differences(logits: Tensor, label: Tensor) -> Tensor:
    return _logit(logits, label)[:, None] - logits
