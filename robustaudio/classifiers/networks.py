"""The networks, and the architecture that a card describes: plain values in, a Classifier out."""

import math
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robustaudio.classifiers.classifier import Classifier
from robustaudio.columns import (
    FLAG,
    Column,
    check_row,
    is_text,
    needed,
    number,
    one_of,
    whole,
)
from robustaudio.representations.spectral import (
    Framing,
    LogMel,
    Magnitude,
    Mel,
    MelScale,
    Mfcc,
    RootLogMel,
)

MOST_CELLS = 50_000_000  # samples of all frames: 400 MB of spectra
SIZE = needed(whole(1, 10**9))  # of what weights are made of: compared with the file's own
CONVOLUTIONS = Column(
    "at most 64 pairs of whole numbers from 1 to 10000",
    lambda value: (
        len(value) <= 64
        and all(len(pair) == 2 and all(map(whole(1, 10_000).allows, pair)) for pair in value)
    ),
)
LABELS = needed(Column("texts", lambda value: all(is_text(label, 2_000) for label in value)))
RATE, LENGTH = needed(whole(1, 192_000)), needed(whole(1, 120 * 192_000))
FIELDS = {
    "labels": LABELS, "sample_rate": RATE, "length": LENGTH,
    "compression": needed(one_of("log", "root_log")), "floor": needed(number(1e-30, 1e30)),
    "n_mfcc": needed(whole(0, 1_024)), "lifter": needed(whole(0, 10_000)),
    "network": needed(one_of("cnn", "cnn_2d", "deep_cnn", "lstm")), "width": SIZE,
    "convolutions": needed(CONVOLUTIONS), "thresholds": needed(whole(0, 1_000)),
}  # fmt: skip
FRAMING = {
    "n_fft": needed(whole(2, 16_384)), "hop_length": needed(whole(1, 16_384)),
    "window": needed(one_of("hann", "hamming")), "pre_emphasis": needed(number(-1, 1)),
    "unitary": needed(FLAG),
}  # fmt: skip
MEL = {
    "sample_rate": RATE, "n_mels": needed(whole(1, 1_024)), "f_min": needed(number(0, 192_000)),
    "f_max": needed(number(0, 192_000)), "scale": needed(one_of("htk", "slaney")),
}  # fmt: skip


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
    leaves the cepstrum out. `width` is the number of channels (of a cnn) or hidden units (lstm);
    `convolutions` are the (kernel, stride) of a cnn. `thresholds` is how many soft thresholds
    every band of a cnn passes first (0: none).
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
    network: Literal["cnn", "cnn_2d", "deep_cnn", "lstm"] = "cnn"
    width: int = 96
    convolutions: tuple[tuple[int, int], ...] = ((5, 2), (5, 2), (3, 2))
    thresholds: int = 0

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
                "convolutions": tuple(map(tuple, data.get("convolutions", cls.convolutions))),
            }
        ).checked()

    def checked(self) -> "Architecture":
        """Itself, if every field is of a type and a size that a network can have.

        Raises:
            ValueError: naming the first field that is not.
        """
        check_row({**vars(self), "labels": list(self.labels)}, FIELDS, "its architecture")
        check_row(vars(self.framing), FRAMING, "its framing")
        check_row(vars(self.mel), MEL, "its mel")
        frames = self.framing.frames(self.length)
        if frames < 1 or frames * self.framing.n_fft > MOST_CELLS:
            raise ValueError(
                f"its architecture: {frames} frames of {self.framing.n_fft} samples; at least 1, "
                f"and at most {MOST_CELLS} samples in all, would be right."
            )
        return self

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its weights by name; no memory is taken for them."""
        with torch.device("meta"):
            network = network_of(self)
        return {f"network.{key}": tuple(value.shape) for key, value in network.state_dict().items()}

    def build(self, name: str = "") -> Classifier:
        """The classifier, untrained (weights from torch's global generator)."""
        return build(self, name)


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
    return Classifier(
        stages,
        network_of(a),
        labels=a.labels,
        sample_rate=a.sample_rate,
        length=a.length,
        name=name,
    )


def network_of(a: Architecture) -> nn.Sequential:
    """What follows the stages."""
    bands, frames = a.n_mfcc or a.mel.n_mels, a.framing.frames(a.length)
    make = {"cnn": cnn, "cnn_2d": cnn_2d, "deep_cnn": deep_cnn, "lstm": lstm}[a.network]
    return make(a, bands, frames)


def cnn(a: Architecture, bands: int, frames: int) -> nn.Sequential:
    """Convolutions over time and two dense layers, behind soft thresholds if asked for."""
    layers: list[nn.Module] = []
    if a.thresholds:
        layers, bands = soft_thresholds(bands, a.thresholds), bands * a.thresholds
    for kernel, stride in a.convolutions:
        layers += [nn.Conv1d(bands, a.width, kernel, stride), nn.ReLU()]
        bands, frames = a.width, (frames - kernel) // stride + 1
    dense = [nn.Linear(bands * frames, 128), nn.ReLU(), nn.Linear(128, len(a.labels))]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


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


def deep_cnn(a: Architecture, bands: int, frames: int) -> nn.Sequential:
    """Six normalised convolutions: the depth that noise as loud as the speech asks for."""
    width = a.width

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
    dense = [nn.Linear(features, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, len(a.labels))]
    return nn.Sequential(*convolutions, nn.Dropout(0.2), *dense)


def cnn_2d(a: Architecture, bands: int, frames: int) -> nn.Sequential:
    """Four convolutions over time and frequency: what is learnt at one pitch holds at others.

    The last maps are averaged over time, in a lower and an upper half of the bands.
    """
    width = a.width

    def block(channels: int, maps: int) -> list[nn.Module]:
        convolution = nn.Conv2d(channels, maps, 3, padding=1)
        return [convolution, nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        nn.Unflatten(1, (1, bands)), nn.BatchNorm2d(1),
        *block(1, width), *block(width, 2 * width),
        *block(2 * width, 4 * width), *block(4 * width, 4 * width),
        nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(8 * width, len(a.labels)),
    )  # fmt: skip


def lstm(a: Architecture, bands: int, frames: int) -> nn.Sequential:
    """A dense layer per frame, an LSTM, a dense layer on its last state (PROVER's network).

    The recurrent weights start at 0.3 of torch's and the forget bias at -0.5: a contraction,
    without which interval bounds saturate within a few frames and cannot be trained.
    """
    width, labels = a.width, len(a.labels)
    recurrent = LastHidden(width, width)
    with torch.no_grad():
        recurrent.weight_hh_l0 *= 0.3
        recurrent.bias_ih_l0[width : 2 * width] = -0.5
        recurrent.bias_hh_l0[width : 2 * width] = 0
    return nn.Sequential(nn.Conv1d(bands, width, 1), nn.ReLU(), recurrent, nn.Linear(width, labels))
