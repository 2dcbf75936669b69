"""A support vector machine with probabilities as the last layer of a differentiable classifier.

scikit-learn trains it (`training/svm.py`); here it is evaluated, with libsvm's probabilities.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.audio.exact import exact_device
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import LABELS, LENGTH, MOST_CELLS, SIZE
from robustaudio.columns import FLAG, Column, check_row, needed, one_of, whole
from robustaudio.representations.denoise import SpectralSubtraction
from robustaudio.representations.descriptors import (
    DESCRIPTORS,
    FRAMING,
    Descriptors,
    Statistic,
    Statistics,
)

STATISTICS = Column(
    "some of mean, std and delta, each once",
    lambda value: 0 < len(value) == len({*value}) and {*value} <= {"mean", "std", "delta"},
)
FIELDS = {
    "labels": LABELS, "sample_rate": needed(whole(1_000, 192_000)), "length": LENGTH,
    "vectors": SIZE, "statistics": needed(STATISTICS), "denoise": needed(FLAG),
    "network": needed(one_of("svm")),
}  # fmt: skip
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
        one, other = zip(*combinations(range(self.labels), 2), strict=True)
        pairwise = first.new_zeros(len(x), self.labels, self.labels)
        pairwise[:, one, other], pairwise[:, other, one] = first, 1 - first
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
            own = q[:, t, t, None]
            step = torch.where(going, (energy - slope[:, t, None]) / own, 0)
            energy = (energy + step * (step * own + 2 * slope[:, t, None])) / (1 + step) ** 2
            slope = (slope + step * q[:, t]) / (1 + step)
            p[:, t, None] += step
            p = p / (1 + step)
    return p


@dataclass(frozen=True)
class SvmArchitecture:
    """All that is needed to build the classifier, apart from its numbers; a card holds it as JSON.

    waveform -> [denoised ->] descriptors -> statistics -> standardised -> logits.
    """

    labels: tuple[str, ...]
    sample_rate: int
    length: int
    vectors: int
    statistics: tuple[Statistic, ...] = ("mean", "std", "delta")
    denoise: bool = False
    network: Literal["svm"] = "svm"

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "SvmArchitecture":
        """The inverse of `to_json`.

        Raises:
            TypeError, KeyError: if keys are missing or unknown.
        """
        lists = {key: tuple(data[key]) for key in ("labels", "statistics")}
        return cls(**{**data, **lists}).checked()

    def checked(self) -> "SvmArchitecture":
        """Itself, if every field is of a type and a size that a machine can have.

        Raises:
            ValueError: naming the first field that is not.
        """
        check_row(vars(self), FIELDS, "its architecture")
        frames = 1 + self.length // FRAMING.hop_length
        if frames * FRAMING.n_fft > MOST_CELLS:
            raise ValueError(f"its architecture: length {self.length} is too much.")
        return self

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its numbers by name; no memory is taken for them."""
        features = len(self.statistics) * len(DESCRIPTORS)
        with torch.device("meta"):
            parts = {
                "stages.standardised": Standardise(features),
                "network.0": SupportVectorMachine(len(self.labels), features, self.vectors),
            }
        return {
            f"{part}.{name}": tuple(value.shape)
            for part, module in parts.items()
            for name, value in module.state_dict().items()
        }

    def build(self, name: str = "") -> Classifier:
        """The classifier, its numbers still zero."""
        features = len(self.statistics) * len(DESCRIPTORS)
        stages: dict[str, nn.Module] = {"denoised": SpectralSubtraction()} if self.denoise else {}
        stages |= {
            "descriptors": Descriptors(self.sample_rate),
            "statistics": Statistics(self.statistics),
            "standardised": Standardise(features),
        }
        machine = SupportVectorMachine(len(self.labels), features, self.vectors)
        return Classifier(
            stages,
            nn.Sequential(machine),
            labels=self.labels,
            sample_rate=self.sample_rate,
            length=self.length,
            name=name,
        )
