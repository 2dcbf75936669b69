"""What every kind of training gives: a classifier, and what its card says of how."""

from collections.abc import Callable
from dataclasses import dataclass

from robustaudio.classifiers.architecture import Architecture
from robustaudio.classifiers.card import Training
from robustaudio.classifiers.classifier import Classifier

Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier, its architecture, its settings, and the card's words on the data."""

    classifier: Classifier
    architecture: Architecture
    training: Training
    data: str
