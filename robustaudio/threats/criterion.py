"""What an adversary wants, as a value; one label per item of the batch."""

from dataclasses import dataclass

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

    def is_adversarial(self, logits: Float[Tensor, "batch label"]) -> Bool[Tensor, " batch"]:
        return logits.argmax(-1) != self.label


@dataclass(frozen=True, eq=False)
class TargetedMisclassification:
    """Exactly `target`."""

    target: Int[Tensor, " batch"]

    def __getitem__(self, index: Tensor) -> "TargetedMisclassification":
        return TargetedMisclassification(self.target[index])

    def loss(self, logits: Float[Tensor, "batch label"]) -> Float[Tensor, " batch"]:
        """Grows towards success: minus the cross-entropy of the target."""
        return -F.cross_entropy(logits, self.target, reduction="none")

    def is_adversarial(self, logits: Float[Tensor, "batch label"]) -> Bool[Tensor, " batch"]:
        return logits.argmax(-1) == self.target


Criterion = Misclassification | TargetedMisclassification
