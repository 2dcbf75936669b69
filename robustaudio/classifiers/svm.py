"""A support vector machine with probabilities as the last layer of a differentiable classifier.

scikit-learn trains it (`training/svm.py`); here it is evaluated, with libsvm's probabilities.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.audio.float64 import exact_device
from robustaudio.classifiers.networks import SIZE, Network
from robustaudio.columns import holds

LEAST_PROBABILITY = 1e-7  # of a pair of labels (libsvm's min_prob)
TOLERANCE = 0.005  # of the coupling, over the number of labels (libsvm's eps)
MOST_ROUNDS = 100


class InFloat64(nn.Module):
    """A module of float64 numbers, which refuses a device that has none.

    Raises:
        ValueError: on the move there.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        device = fn(torch.zeros(1)).device
        if exact_device(device) != device:
            raise ValueError(
                f"a support vector machine computes in float64, which {device.type} has not; "
                "choose the device cpu."
            )
        return super()._apply(fn, recurse)


class Standardise(InFloat64):
    """(feature - mean) / scale, in float64 from here on."""

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(features, dtype=torch.float64))

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch feature"]:
        return (x.double() - self.mean) / self.scale


class SupportVectorMachine(InFloat64):
    """Log-probabilities of an RBF-kernel SVC, one against one, with Platt's sigmoids.

    Column p of `weights`, which are dual coefficients, belongs to pair p of the labels in
    lexicographic order; P(first | first or second) = 1 / (1 + exp(slope f + offset)) of its
    decision value f (Platt 1999). The softmax of what `forward` returns are the probabilities.
    """

    words = "a support vector machine"  # what a visitor calls it
    gamma: Tensor
    vectors: Tensor
    weights: Tensor
    bias: Tensor
    slope: Tensor
    offset: Tensor

    def __init__(self, labels: int, features: int, vectors: int):
        super().__init__()
        self.labels, pairs = labels, labels * (labels - 1) // 2
        shapes = {
            "gamma": (),
            "vectors": (vectors, features),
            "weights": (vectors, pairs),
            "bias": (pairs,),
            "slope": (pairs,),
            "offset": (pairs,),
        }
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def forward(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch label"]:
        decision = self.kernel(x) @ self.weights + self.bias
        first = torch.sigmoid(-(self.slope * decision + self.offset))
        first = first.clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
        i, j = zip(*combinations(range(self.labels), 2), strict=True)
        pairwise = first.new_zeros(len(x), self.labels, self.labels)
        pairwise[:, i, j], pairwise[:, j, i] = first, 1 - first
        return coupled(pairwise).log().float()

    def kernel(self, x: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch vector"]:
        """exp(-gamma |x - v|^2) of every support vector v."""
        return (-self.gamma * torch.cdist(x, self.vectors).square()).exp()


def coupled(
    pairwise: Float[Tensor, "batch label label"],
) -> Float[Tensor, "batch label"]:
    """One probability per label from P(i | i or j) (Wu, Lin & Weng 2004, eq. 18: their 2nd method).

    The minimum of sum_ij (r_ji p_i - r_ij p_j)^2 with sum p = 1. Its values are those of
    libsvm, which stops iterating (algorithm 2) within 5e-4 of it; its gradient is the minimum's.
    """
    q = -pairwise.transpose(1, 2) * pairwise
    q = q + torch.diag_embed(pairwise.square().sum(1))
    ones = torch.ones_like(q[:, :1])
    system = torch.cat(
        [torch.cat([q, ones.transpose(1, 2)], 2), torch.cat([ones, q.new_zeros(len(q), 1, 1)], 2)],
        1,
    )
    right = torch.zeros_like(system[:, 0])
    right[:, -1] = 1
    minimum = torch.linalg.solve(system, right)[:, :-1]
    return minimum + (_iterated(q.detach()) - minimum).detach()


def _iterated(q: Float[Tensor, "batch label label"]) -> Float[Tensor, "batch label"]:
    """Algorithm 2 of Wu, Lin & Weng, item by item as long as libsvm goes on."""
    labels = q.shape[1]
    p = q.new_full(q.shape[:2], 1 / labels)
    for _ in range(max(MOST_ROUNDS, labels)):
        slope = (q @ p[..., None])[..., 0]
        energy = (p * slope).sum(1, keepdim=True)
        going = (slope - energy).abs().amax(1, keepdim=True) >= TOLERANCE / labels
        if not going.any():
            break
        for t in range(labels):
            diagonal = q[:, t, t, None]
            step = torch.where(going, (energy - slope[:, t, None]) / diagonal, 0)
            energy = (energy + step * (step * diagonal + 2 * slope[:, t, None])) / (1 + step) ** 2
            slope = (slope + step * q[:, t]) / (1 + step)
            p[:, t, None] += step
            p = p / (1 + step)
    return p


@dataclass(frozen=True)
class Svm(Network):
    """A `SupportVectorMachine` with so many support vectors, its numbers still zero."""

    kind: ClassVar[str] = "svm"
    axes: ClassVar[int] = 1
    vectors: int = holds(SIZE, 0)

    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        (features,) = shape
        return nn.Sequential(SupportVectorMachine(labels, features, self.vectors))
