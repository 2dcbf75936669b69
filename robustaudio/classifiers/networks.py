"""The networks, and the architecture that a card describes: plain values in, a Classifier out."""

import math
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.classifiers.classifier import Classifier
from robustaudio.representations.spectral import (
    Framing,
    LogMel,
    Magnitude,
    Mel,
    MelScale,
    Mfcc,
    RootLogMel,
)


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


@dataclass(frozen=True)
class Architecture:
    """All that is needed to build a classifier, apart from its weights; a card holds it as JSON.

    `compression` is log(E + floor) ("log") or log(1 + sqrt(E)/floor) ("root_log"); `n_mfcc` 0
    leaves the cepstrum out. `width` is the number of channels (of a cnn) or hidden units (lstm).
    """

    labels: tuple[str, ...]
    sample_rate: int
    length: int
    framing: Framing = field(default_factory=Framing)
    mel: MelScale = field(default_factory=MelScale)
    compression: Literal["log", "root_log"] = "root_log"
    floor: float = 0.1
    n_mfcc: int = 0
    lifter: int = 0
    network: Literal["cnn", "deep_cnn", "lstm"] = "cnn"
    width: int = 96

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Architecture":
        """The inverse of `to_json`.

        Raises:
            TypeError, KeyError: if keys are missing or unknown.
        """
        return cls(
            **{
                **data,
                "labels": tuple(data["labels"]),
                "framing": Framing(**data["framing"]),
                "mel": MelScale(**data["mel"]),
            }
        )


def build(architecture: Architecture, name: str = "") -> Classifier:
    """An untrained classifier (weights from torch's global generator)."""
    a = architecture
    stages: dict[str, nn.Module] = {
        "magnitude": Magnitude(a.framing),
        "mel": Mel(a.mel, a.framing.n_fft),
        "log_mel": {"log": LogMel, "root_log": RootLogMel}[a.compression](a.floor),
    }
    if a.n_mfcc:
        stages["mfcc"] = Mfcc(a.mel.n_mels, a.n_mfcc, a.lifter)
    bands, frames = a.n_mfcc or a.mel.n_mels, a.framing.frames(a.length)
    make = {"cnn": cnn, "deep_cnn": deep_cnn, "lstm": lstm}[a.network]
    return Classifier(
        stages,
        make(bands, frames, a.width, len(a.labels)),
        labels=a.labels,
        sample_rate=a.sample_rate,
        length=a.length,
        name=name,
    )


def cnn(bands: int, frames: int, width: int, labels: int) -> nn.Sequential:
    """Three strided convolutions over time, two dense layers."""
    convolutions = nn.Sequential(
        nn.Conv1d(bands, width, 5, stride=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 5, stride=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
    )
    for kernel in (5, 5, 3):
        frames = (frames - kernel) // 2 + 1
    features = width * frames
    return nn.Sequential(*convolutions, nn.Linear(features, 128), nn.ReLU(), nn.Linear(128, labels))


def deep_cnn(bands: int, frames: int, width: int, labels: int) -> nn.Sequential:
    """Six normalised convolutions: the depth that noise as loud as the speech asks for."""

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


def lstm(bands: int, frames: int, width: int, labels: int) -> nn.Sequential:
    """A dense layer per frame, an LSTM, a dense layer on its last state (PROVER's network).

    The recurrent weights start at 0.3 of torch's and the forget bias at -0.5: a contraction,
    without which interval bounds saturate within a few frames and cannot be trained.
    """
    recurrent = LastHidden(width, width)
    with torch.no_grad():
        recurrent.weight_hh_l0 *= 0.3
        recurrent.bias_ih_l0[width : 2 * width] = -0.5
        recurrent.bias_hh_l0[width : 2 * width] = 0
    return nn.Sequential(nn.Conv1d(bands, width, 1), nn.ReLU(), recurrent, nn.Linear(width, labels))
