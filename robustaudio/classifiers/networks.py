"""The networks, as plain values: features in, logits out."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.classifiers.part import Part
from robustaudio.columns import Column, holds, whole

SIZE = whole(1, 10**9)  # of what weights are made of: compared with the file's own
CONVOLUTIONS = Column(
    "at most 64 pairs of whole numbers from 1 to 10000",
    lambda value: (
        len(value) <= 64
        and all(len(pair) == 2 and all(map(whole(1, 10_000).allows, pair)) for pair in value)
    ),
)


@dataclass(frozen=True)
class Network(Part):
    """What follows the stages of a classifier; `axes` are those of the features it takes."""

    axes: ClassVar[int] = 2  # (band, frame)

    @abstractmethod
    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        """The layers from features of a shape to the logits of so many labels, untrained."""


@dataclass(frozen=True)
class Cnn(Network):
    """Convolutions over time and two dense layers, behind soft thresholds if asked for.

    `width` is the number of channels, `convolutions` are (kernel, stride); `thresholds` is how
    many soft thresholds every band passes first (0: none).
    """

    kind: ClassVar[str] = "cnn"
    width: int = holds(SIZE, 96)
    convolutions: tuple[tuple[int, int], ...] = holds(CONVOLUTIONS, ((5, 2), (5, 2), (3, 2)))
    thresholds: int = holds(whole(0, 1_000), 0)

    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        bands, frames = shape
        layers: list[nn.Module] = []
        if self.thresholds:
            layers, bands = soft_thresholds(bands, self.thresholds), bands * self.thresholds
        for kernel, stride in self.convolutions:
            layers += [nn.Conv1d(bands, self.width, kernel, stride), nn.ReLU()]
            bands, frames = self.width, (frames - kernel) // stride + 1
        dense = [nn.Linear(bands * frames, 128), nn.ReLU(), nn.Linear(128, labels)]
        return nn.Sequential(*layers, nn.Flatten(), *dense)


@dataclass(frozen=True)
class DeepCnn(Network):
    """Six normalised convolutions: the depth that noise as loud as the speech asks for."""

    kind: ClassVar[str] = "deep_cnn"
    width: int = holds(SIZE, 96)

    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        (bands, frames), width = shape, self.width

        def block(channels: int, kernel: int, stride: int) -> list[nn.Module]:
            convolution = nn.Conv1d(channels, width, kernel, stride, kernel // 2)
            return [convolution, nn.BatchNorm1d(width), nn.ReLU()]

        convolutions = nn.Sequential(
            nn.BatchNorm1d(bands),
            *block(bands, 5, 1), *block(width, 5, 2),
            *block(width, 3, 1), *block(width, 3, 2),
            *block(width, 3, 1), *block(width, 3, 2),
            nn.Flatten(),
        )  # fmt: skip
        features = width * math.ceil(frames / 8)
        dense = [nn.Linear(features, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, labels)]
        return nn.Sequential(*convolutions, nn.Dropout(0.2), *dense)


@dataclass(frozen=True)
class Cnn2d(Network):
    """Four convolutions over time and frequency: what is learnt at one pitch holds at others.

    The last maps are averaged over time, in a lower and an upper half of the bands.
    """

    kind: ClassVar[str] = "cnn_2d"
    width: int = holds(SIZE, 96)

    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        (bands, _), width = shape, self.width

        def block(channels: int, maps: int) -> list[nn.Module]:
            convolution = nn.Conv2d(channels, maps, 3, padding=1)
            return [convolution, nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(2)]

        return nn.Sequential(
            nn.Unflatten(1, (1, bands)), nn.BatchNorm2d(1),
            *block(1, width), *block(width, 2 * width),
            *block(2 * width, 4 * width), *block(4 * width, 4 * width),
            nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten(), nn.Dropout(0.3),
            nn.Linear(8 * width, labels),
        )  # fmt: skip


@dataclass(frozen=True)
class Lstm(Network):
    """A dense layer per frame, an LSTM, a dense layer on its last state (PROVER's network).

    The recurrent weights start at 0.3 of torch's and the forget bias at -0.5: a contraction,
    without which interval bounds saturate within a few frames and cannot be trained.
    """

    kind: ClassVar[str] = "lstm"
    width: int = holds(SIZE, 96)  # hidden units

    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        (bands, _), width = shape, self.width
        recurrent = LastHidden(width, width)
        with torch.no_grad():
            recurrent.weight_hh_l0 *= 0.3
            recurrent.bias_ih_l0[width : 2 * width] = -0.5
            recurrent.bias_hh_l0[width : 2 * width] = 0
        dense = nn.Conv1d(bands, width, 1)
        return nn.Sequential(dense, nn.ReLU(), recurrent, nn.Linear(width, labels))


class LastHidden(nn.LSTM):
    """One LSTM layer over (batch, feature, frame), giving the hidden state after the last frame."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, features: int, hidden: int):
        super().__init__(features, hidden, batch_first=True)

    def forward(self, x: Float[Tensor, "batch feature frame"]) -> Float[Tensor, "batch hidden"]:  # type: ignore[override]
        return super().forward(x.transpose(1, 2))[0][:, -1]


def soft_thresholds(bands: int, levels: int) -> list[nn.Module]:
    """Every band asked `levels` times whether it holds energy: sigmoid(a (log E - c)).

    A cell that is far from a threshold on either side does not move however its energy is
    changed by a few dB: what a relative perturbation cannot reach. Starts at thresholds spread
    between silence and speech (for a clip of peak 1 and a unitary transform) and learns them.
    """
    steepness, (low, high) = 2.0, (-7.0, -2.4)
    layer = nn.Conv1d(bands, bands * levels, 1, groups=bands)
    at = torch.linspace(low, high, levels).repeat(bands)
    nn.init.constant_(layer.weight, steepness)
    layer.bias = nn.Parameter(-steepness * at)
    return [layer, nn.Sigmoid()]
