"""The ruler: for one clip and one classifier, what is proven and what is broken, on one axis."""

import time
from dataclasses import asdict, dataclass

from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import PGD, Attack
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import smallest_level
from robustaudio.evaluation.certify import certify_clip
from robustaudio.evaluation.clips import Progress, finite, part_of, seconds_since
from robustaudio.perception.metrics import floor_16_bit_db

SHARES = (0.05, 0.75, 0.2)  # of the time: proof, attack, smoothing


@dataclass(frozen=True)
class Ruler:
    """Levels in dB relative to the clip's peak, for the linf ball; None where there is none.

    `smoothed_db` speaks of the smoothed classifier: the largest linf ball inside its l2 ball;
    None too where it certifies another class than the classifier's own.
    """

    verified_db: float | None
    attacked_db: float | None
    smoothed_db: float | None
    floor_16_bit_db: float

    @property
    def is_consistent(self) -> bool:
        """Whether the proof lies below the attack, as it must."""
        if self.verified_db is None or self.attacked_db is None:
            return True
        return self.verified_db < self.attacked_db


def measure_ruler(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    smoothing: Smoothing,
    attack: Attack | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict:
    """The ruler of one prepared clip, with the settings behind each mark."""
    attack, started = attack or PGD(), time.monotonic()
    verifier, x = Verifier(classifier), waveform[None]
    proof, search, votes = (
        part_of(progress, sum(SHARES[:n]), 1.0, share) for n, share in enumerate(SHARES)
    )
    label = verifier.predict(x)
    verified = float(verifier.largest_level(x, label, "linf", proof)[0])
    attacked = smallest_level(classifier, waveform, attack, norm="linf", seed=seed, progress=search)
    certified = certify_clip(
        classifier, waveform, smoothing, representation="waveform", seed=seed, progress=votes
    )
    agrees = certified["prediction"] == classifier.labels[int(label)]
    ruler = Ruler(
        finite(verified),
        finite(attacked),
        certified["level_linf_db"] if agrees else None,
        floor_16_bit_db(waveform),
    )
    if not ruler.is_consistent:
        raise AssertionError(f"an attack contradicts a proof: {ruler}")
    return {
        "classifier": classifier.name,
        "prediction": classifier.labels[int(label)],
        "ruler": asdict(ruler),
        "smoothed_prediction": certified["prediction"],
        "attack": {"name": type(attack).__name__, **asdict(attack)},
        "smoothing": asdict(smoothing),
        "seed": seed,
        "seconds": seconds_since(started),
    }
