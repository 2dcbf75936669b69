"""The ruler: for one clip and one classifier, what is proven and what is broken, on one axis.

The axis is that of the linf ball. The proofs against the l2 ball and the masking set stand beside
it, each in its own decibels.
"""

import time
from dataclasses import asdict, dataclass

from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import PGD, Attack
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier, proof_obstacle
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, smallest_level
from robustaudio.evaluation.certify import certify_clip
from robustaudio.evaluation.clips import finite, predictions, seconds_since
from robustaudio.perception.levels import floor_16_bit_db
from robustaudio.progress import Progress, Watched, part_of
from robustaudio.threats.norms import L2, LINF, MASKING, NORMS

SHARES = (0.3, 0.55, 0.15)  # of the time: proofs, attack, smoothing
PARTS = PROOFS, ATTACK, SMOOTHING = "proofs", "attack", "smoothing"
METHOD = "crown"  # of the proofs


@dataclass(frozen=True)
class Ruler:
    """Levels in dB relative to the clip's peak, for the linf ball; None where there is none.

    Two speak of other threats: `verified_l2_db` is relative to the clip's l2 norm (minus SNR),
    `verified_masking_db` to its masking threshold (0 is the threshold itself).
    `smoothed_db` speaks of the smoothed classifier: the largest linf ball inside its l2 ball; None
    too where it certifies another class than the classifier's own.
    """

    verified_db: float | None
    attacked_db: float | None
    smoothed_db: float | None
    floor_16_bit_db: float
    verified_l2_db: float | None = None
    verified_masking_db: float | None = None

    @property
    def is_consistent(self) -> bool:
        """Whether the proof lies below the attack, both in linf, as it must."""
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
    """The ruler of one prepared clip, with the settings behind each mark.

    Where `progress` says `Enough`, each part has what it found so far: a smaller proof, a larger
    attack or none, fewer votes. `ended` names those parts.
    """
    attack, started, x = attack or PGD(), time.monotonic(), waveform[None]
    watched = [
        Watched(part_of(progress, sum(SHARES[:n]), 1.0, share)) for n, share in enumerate(SHARES)
    ]
    proof, search, votes = watched
    label = predictions(classifier, x)
    verified, unproven = _largest_levels(classifier, x, label, proof)
    attacked = smallest_level(classifier, waveform, Plan(attack), seed=seed, progress=search)
    certified = certify_clip(
        classifier, waveform, smoothing, representation="waveform", seed=seed, progress=votes
    )
    agrees = certified["prediction"] == classifier.labels[int(label)]
    ruler = Ruler(
        verified_db=verified.get(LINF.name),
        attacked_db=finite(attacked),
        smoothed_db=certified["level_linf_db"] if agrees else None,
        floor_16_bit_db=floor_16_bit_db(waveform),
        verified_l2_db=verified.get(L2.name),
        verified_masking_db=verified.get(MASKING.name),
    )
    if not ruler.is_consistent:
        raise AssertionError(f"an attack contradicts a proof: {ruler}")
    return {
        "classifier": classifier.name,
        "prediction": classifier.labels[int(label)],
        "ruler": asdict(ruler),
        "method": METHOD,
        "norms": list(verified),
        "unproven": unproven,
        "smoothed_prediction": certified["prediction"],
        "attack": {"name": type(attack).__name__, **asdict(attack)},
        "smoothing": asdict(smoothing) | {"n": certified["n"]},
        "ended": [name for name, part in zip(PARTS, watched, strict=True) if part.ended],
        "seed": seed,
        "seconds": seconds_since(started),
    }


def _largest_levels(
    classifier: Classifier, x: Tensor, label: Tensor, progress: Progress | None
) -> tuple[dict[str, float | None], str | None]:
    """The largest verified level per norm; none, and why, where a layer has no interval rule.

    A classifier without a magnitude has no masking set.
    """
    if reason := proof_obstacle(classifier, METHOD):
        return {}, reason
    norms = [norm for norm in NORMS.values() if proof_obstacle(classifier, METHOD, norm) is None]
    verifier, levels = Verifier(classifier, method=METHOD), {}
    for number, norm in enumerate(norms):
        part = part_of(progress, number, len(norms))
        levels[norm.name] = finite(float(verifier.largest_level(x, label, norm, part)[0]))
    return levels, None
