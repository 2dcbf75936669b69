"""Gaussian noise at a representation: a perturbation that knows nothing of the classifier."""

from dataclasses import dataclass
from itertools import takewhile
from math import inf

from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.draws import Randomness, normal
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.perception.levels import amplitude_db
from robustaudio.representations.stage import Invertible, sound_behind


@dataclass(frozen=True, eq=False)
class NoisyClip:
    """Noise at a representation, and the sound that comes closest to it.

    `inversion_loss_db` is the size of what the sound misses of the noisy representation,
    relative to the size of the noise (l2): minus infinity is a perfect inversion, 0 dB loses as
    much as was added.
    """

    features: Float[Tensor, "1 *shape"]
    waveform: Float[Tensor, "1 time"]
    inversion_loss_db: float


def audible_representations(classifier: Classifier) -> tuple[str, ...]:
    """Representations of a classifier that can be brought back to sound."""
    back = takewhile(lambda stage: isinstance(stage[1], Invertible), classifier.stages.items())
    return ("waveform", *(name for name, _ in back))


def check_audible(classifier: Classifier, representation: str) -> None:
    """
    Raises:
        ValueError: for a representation that the classifier does not have, or that has no way back
            to sound.
    """
    classifier.split(representation)
    audible = audible_representations(classifier)
    if representation not in audible:
        raise ValueError(
            f"{representation!r} cannot be brought back to sound; choose from {', '.join(audible)}."
        )


def gaussian_noise(
    x: Float[Tensor, "*shape"], sigma: float, generator: Randomness
) -> Float[Tensor, "*shape"]:
    """x + sigma z with z ~ N(0, I). Nothing is clipped: a certificate may rely on it.

    Raises:
        ValueError: for a sigma below 0, infinite or NaN.

    >>> import torch
    >>> x = gaussian_noise(torch.zeros(10_000), 0.5, torch.Generator().manual_seed(0))
    >>> round(float(x.std()), 2)
    0.5
    """
    if not 0 <= sigma < inf:
        raise ValueError(f"sigma {sigma} must be 0 or more, and finite.")
    return x + sigma * normal(x, generator)


@in_evaluation_mode
def noisy_clip(
    classifier: Classifier,
    waveform: Float[Tensor, "1 time"],
    representation: str,
    sigma: float,
    generator: Randomness,
) -> NoisyClip:
    """Adds noise at a representation and brings it back to sound with the clean phase.

    `sigma` is in the units of the representation.

    Raises:
        ValueError: for a representation that has no way back to sound, or an impossible sigma.
    """
    check_audible(classifier, representation)
    front, _ = classifier.split(representation)
    clean = front(waveform)
    noisy = gaussian_noise(clean, sigma, generator)
    sound = sound_of(classifier, waveform, representation, noisy)
    if not bool(sound.isfinite().all()):
        raise ValueError(f"sigma {sigma} is more than the arithmetic holds; 0 to 1000 would do.")
    missed, added = (front(sound) - noisy).norm(), (noisy - clean).norm()
    return NoisyClip(noisy, sound, amplitude_db(float(missed / added)) if sigma else -inf)


def sound_of(
    classifier: Classifier,
    waveform: Float[Tensor, "batch time"],
    representation: str,
    features: Float[Tensor, "batch *shape"],
) -> Float[Tensor, "batch time"]:
    """The sound that comes closest to changed features, with the phase of the clean clip.

    Raises:
        ValueError: for a representation that has no way back to sound.
    """
    check_audible(classifier, representation)
    return sound_behind(classifier.split(representation)[0], waveform, features)
