"""An architecture is stages, a network and a gain, read by their kinds from one flat object."""

import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import nn

from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.gain import NONE
from robustaudio.classifiers.networks import Cnn, Lstm, Network
from robustaudio.classifiers.stages import DescriptorStages, LogMelStages
from robustaudio.classifiers.svm import Svm
from robustaudio.columns import holds, whole

OWN = Architecture(("no", "yes"), 8_000, 8_000)


@dataclass(frozen=True)
class Perceptron(Network):
    """A network that a visitor adds: this class is all that it takes."""

    kind: ClassVar[str] = "perceptron"
    hidden: int = holds(whole(1, 100), 8)

    def build(self, shape: tuple[int, ...], labels: int) -> nn.Sequential:
        dense = [nn.Linear(shape[0] * shape[1], self.hidden), nn.ReLU()]
        return nn.Sequential(nn.Flatten(), *dense, nn.Linear(self.hidden, labels))


@pytest.mark.parametrize(
    "architecture",
    [
        OWN,
        replace(OWN, stages=LogMelStages(n_mfcc=12), network=Lstm(width=4)),
        replace(OWN, network=Perceptron(hidden=3)),
        replace(OWN, stages=DescriptorStages(("mean",), denoise=True), network=Svm(vectors=2)),
    ],
    ids=lambda architecture: architecture.network.kind,
)
def test_it_survives_json_and_its_shapes_are_those_that_are_built(architecture):
    again = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert again == architecture
    state = again.build().state_dict()
    assert again.shapes() == {name: tuple(value.shape) for name, value in state.items()}


def test_what_other_networks_are_set_to_is_kept_and_what_none_knows_is_refused():
    said = replace(OWN, network=Lstm(width=4)).to_json() | {"thresholds": 2}
    lstm = Architecture.from_json(said)
    assert lstm.network == Lstm(width=4) and lstm.to_json()["thresholds"] == 2
    with pytest.raises(TypeError, match="its architecture has no 'depth'"):
        Architecture.from_json(said | {"depth": 3})


def test_a_network_takes_features_of_its_number_of_axes():
    with pytest.raises(ValueError, match="'svm' takes features of 1 axes, and its stages give 2"):
        replace(OWN, network=Svm(vectors=3)).checked()


@pytest.mark.parametrize(
    "change", [{"network": "mlp"}, {"stages": "wavelet"}, {"network": ["cnn"]}]
)
def test_an_unknown_kind_names_the_known_ones(change):
    with pytest.raises(ValueError, match=r"must be one of .*(lstm|descriptors)"):
        Architecture.from_json(OWN.to_json() | change)


def test_the_gain_is_the_classifiers():
    classifier = replace(OWN, network=Cnn(width=4), gain=NONE).build()
    assert classifier.gain_policy is NONE and classifier(torch.zeros(1, 8_000)).shape == (1, 2)
