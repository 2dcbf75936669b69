"""How a classifier is built, apart from its weights: stages, a network and a gain, as plain values.

A card holds it as JSON, in one object: the kinds of the stages and of the network beside the
fields of both.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.gain import PEAK, Gain
from robustaudio.classifiers.networks import Cnn, Network
from robustaudio.classifiers.part import tuples
from robustaudio.classifiers.stages import DescriptorStages, LogMelStages, Stages
from robustaudio.columns import Column, check_fields, holds, is_text, whole
from robustaudio.outside import shown

CLIP = ("labels", "sample_rate", "length")  # what it takes, and what it calls it
LABELS = Column("texts", lambda value: all(is_text(label, 2_000) for label in value))


@dataclass(frozen=True)
class Architecture:
    """Stages that take a waveform to features, a network that takes these to logits, and a gain.

    `sample_rate` is in Hz, `length` in samples. `unused` are settings of other networks, which
    some cards name as well.

    >>> Architecture(("no", "yes"), 8_000, 8_000, network=Cnn(width=8)).build().representations
    ('waveform', 'magnitude', 'mel', 'log_mel')
    """

    labels: tuple[str, ...] = holds(LABELS)
    sample_rate: int = holds(whole(1, 192_000))
    length: int = holds(whole(1, 120 * 192_000))
    stages: Stages = field(default_factory=LogMelStages)
    network: Network = field(default_factory=Cnn)
    gain: Gain = PEAK
    unused: dict[str, Any] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict:
        """Plain values; the gain stands on the card."""
        values = {name: getattr(self, name) for name in CLIP}
        values |= {"stages": self.stages.kind, **asdict(self.stages)}
        return values | {"network": self.network.kind, **asdict(self.network)} | self.unused

    @classmethod
    def from_json(cls, data: dict, gain: Gain = PEAK) -> "Architecture":
        """The inverse of `to_json`; without a kind of stages, their fields say which they are.

        Raises:
            TypeError, KeyError: if keys are missing or unknown.
            ValueError: naming the first field whose type or size no classifier can have.
        """
        older = DescriptorStages.kind if "statistics" in data else LogMelStages.kind
        stages = Stages.of_kind(data.get("stages", older))
        network = Network.of_kind(data["network"])
        used = {*CLIP, "stages", *stages.settings(), "network", *network.settings()}
        unused = {name: value for name, value in data.items() if name not in used}
        others = [*Stages.kinds().values(), *Network.kinds().values()]
        if strange := unused.keys() - set().union(*(part.settings() for part in others)):
            raise TypeError(f"its architecture has no {shown(min(strange))}")
        parts = {"stages": stages.from_json(data), "network": network.from_json(data)}
        clip = {name: tuples(data[name]) for name in CLIP}
        return cls(**clip, **parts, gain=gain, unused=unused).checked()

    def checked(self) -> "Architecture":
        """Itself, if every field is of a type and a size that a classifier can have.

        Raises:
            ValueError: naming the first field that is not.
        """
        check_fields(self, "its architecture")
        self.stages.check(self.sample_rate, self.length)
        if len(self.shape) != self.network.axes:
            raise ValueError(
                f"its architecture: the network {self.network.kind!r} takes features of "
                f"{self.network.axes} axes, and its stages give {len(self.shape)}."
            )
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features of one clip, which the network takes."""
        return self.stages.shape(self.length)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its weights by name; no memory is taken for them."""
        with torch.device("meta"):
            network = self.network.build(self.shape, len(self.labels))
        return {f"stages.{name}": shape for name, shape in self.stages.shapes().items()} | {
            f"network.{name}": tuple(value.shape) for name, value in network.state_dict().items()
        }

    def build(self, name: str = "") -> Classifier:
        """The classifier, untrained (weights from torch's global generator)."""
        return Classifier(
            self.stages.build(self.sample_rate),
            self.network.build(self.shape, len(self.labels)),
            labels=self.labels,
            sample_rate=self.sample_rate,
            length=self.length,
            name=name,
            gain_policy=self.gain,
        )
