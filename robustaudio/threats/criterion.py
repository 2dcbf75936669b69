"""What an adversary wants, as a value; one label per item of the batch."""

from dataclasses import dataclass
from math import inf

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Misclassification:
    """Any label but `label`."""

    label: Int[Tensor, " batch"]

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
    """Exactly `target`."""

    target: Int[Tensor, " batch"]

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


def _logit(logits: Tensor, label: Tensor) -> Tensor:
    return logits.gather(1, label[:, None])[:, 0]


def _highest_but(logits: Tensor, label: Tensor) -> Tensor:
    """The highest logit of any other label."""
    return logits.scatter(1, label[:, None], -inf).amax(1)


def _differences(logits: Tensor, label: Tensor) -> Tensor:
    return _logit(logits, label)[:, None] - logits
