"""What every kind of training gives: a classifier, and what its card says of how."""

from collections.abc import Callable
from dataclasses import dataclass

from robustaudio.classifiers.card import AnyArchitecture, Training
from robustaudio.classifiers.classifier import Classifier

Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier, its architecture, its settings, and the card's words on the data."""

    classifier: Classifier
    architecture: AnyArchitecture
    training: Training
    data: str
