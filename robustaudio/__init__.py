"""Hear, break and prove an audio classifier.

The package reads like its pipeline: `audio`, `representations`, `perception`, `classifiers`,
`threats`, then `attacks` and `certification` side by side, `training`, `evaluation`, `listening`,
`ui` and `cli`. A module imports only what stands before it.

The names below are what a notebook needs, from wherever they are defined. Each is imported at its
first use, so that `import robustaudio` alone costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robustaudio.attacks import PGD, Genetic, Psychoacoustic
    from robustaudio.audio.clip import Clip
    from robustaudio.audio.datasets import open_dataset
    from robustaudio.certification.certificate import Certificate
    from robustaudio.certification.smoothing import Smoothing
    from robustaudio.certification.verify import Verifier
    from robustaudio.classifiers.checkpoints import load_classifier
    from robustaudio.classifiers.classifier import Classifier
    from robustaudio.evaluation.ruler import measure_ruler
    from robustaudio.perception.masking import masking_threshold
    from robustaudio.threats.criterion import Misclassification, TargetedMisclassification
    from robustaudio.threats.norms import L2, LINF, MASKING
    from robustaudio.threats.threat_model import ThreatModel, threat_at

__version__ = "0.1.0"
__all__ = [
    "L2",
    "LINF",
    "MASKING",
    "PGD",
    "Certificate",
    "Classifier",
    "Clip",
    "Genetic",
    "Misclassification",
    "Psychoacoustic",
    "Smoothing",
    "TargetedMisclassification",
    "ThreatModel",
    "Verifier",
    "load_classifier",
    "masking_threshold",
    "measure_ruler",
    "open_dataset",
    "threat_at",
]
_MODULES = {
    "L2": "threats.norms",
    "LINF": "threats.norms",
    "MASKING": "threats.norms",
    "PGD": "attacks",
    "Certificate": "certification.certificate",
    "Classifier": "classifiers.classifier",
    "Clip": "audio.clip",
    "Genetic": "attacks",
    "Misclassification": "threats.criterion",
    "Psychoacoustic": "attacks",
    "Smoothing": "certification.smoothing",
    "TargetedMisclassification": "threats.criterion",
    "ThreatModel": "threats.threat_model",
    "Verifier": "certification.verify",
    "load_classifier": "classifiers.checkpoints",
    "masking_threshold": "perception.masking",
    "measure_ruler": "evaluation.ruler",
    "open_dataset": "audio.datasets",
    "threat_at": "threats.threat_model",
}


def __getattr__(name: str) -> Any:
    """A name of `__all__`, imported at its first use (PEP 562).

    Raises:
        AttributeError: for any other name.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
