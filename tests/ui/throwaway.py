"""Untrained instrument classifiers, for tests of the page that need some, not good ones."""

from dataclasses import replace

import torch
from torch import nn

from robustaudio.audio.datasets import open_dataset
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Architecture, build
from robustaudio.representations.spectral import Framing, MelScale
from robustaudio.ui.convert import Services

LABELS = tuple(sorted({row["label"] for row in open_dataset("bundled-instruments").rows}))
ARCHITECTURE = Architecture(
    LABELS, sample_rate=22_050, length=44_100, width=8,
    framing=Framing(n_fft=1024, hop_length=512, unitary=True),
    mel=MelScale(22_050, n_mels=24, f_max=11_025.0),
)  # fmt: skip


def network() -> Classifier:
    torch.manual_seed(0)
    return build(ARCHITECTURE, "tiny-cnn").eval()


def without_proof() -> Classifier:
    """Descriptors, and a last layer that is not dense: what a support vector machine is like."""
    torch.manual_seed(0)
    stages = {"descriptors": nn.Sequential(nn.AvgPool1d(147), nn.Linear(300, 20), nn.Tanh())}
    layers = nn.Sequential(nn.Linear(20, len(LABELS)), nn.LogSoftmax(-1))
    return Classifier(
        stages, layers, labels=LABELS, sample_rate=22_050, length=44_100, name="tiny-svm"
    ).eval()


def with_instruments(services: Services) -> Services:
    """The same, and the two beside the shipped classifiers."""
    made = {c.name: c for c in (network(), without_proof())}
    card = services.cards["digits-cnn"] | {"task": "instruments", "labels": LABELS}
    cards = {name: card | {"name": name} for name in made}
    return replace(
        services, classifiers={**services.classifiers, **made}, cards={**services.cards, **cards}
    )
