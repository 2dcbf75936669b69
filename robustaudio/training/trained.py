"""What every kind of training gives: a classifier, and what its card says of how."""

from collections.abc import Callable
from dataclasses import dataclass

from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.networks import Architecture
from robustaudio.classifiers.svm import SvmArchitecture

Log = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained classifier, its architecture, and the card's words on settings and data."""

    classifier: Classifier
    architecture: Architecture | SvmArchitecture
    settings: dict
    data: str
