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
_NAMES = {
    "attacks": ("PGD", "Genetic", "Psychoacoustic"),
    "audio.clip": ("Clip",),
    "audio.datasets": ("open_dataset",),
    "certification.certificate": ("Certificate",),
    "certification.smoothing": ("Smoothing",),
    "certification.verify": ("Verifier",),
    "classifiers.checkpoints": ("load_classifier",),
    "classifiers.classifier": ("Classifier",),
    "evaluation.ruler": ("measure_ruler",),
    "perception.masking": ("masking_threshold",),
    "threats.criterion": ("Misclassification", "TargetedMisclassification"),
    "threats.norms": ("L2", "LINF", "MASKING"),
    "threats.threat_model": ("ThreatModel", "threat_at"),
}
__all__ = [name for names in _NAMES.values() for name in names]  # pyright: ignore


def __getattr__(name: str) -> Any:
    """A name of `__all__`, imported at its first use (PEP 562).

    Raises:
        AttributeError: for any other name.
    """
    for module, names in _NAMES.items():
        if name in names:
            globals()[name] = value = getattr(import_module(f"{__name__}.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
