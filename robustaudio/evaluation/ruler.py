"""The ruler: for one clip and one classifier, what is proven and what is broken, on one axis.

The axis is that of the linf ball. The proofs against the l2 ball and the masking set stand beside
it, each in its own decibels.
"""

import time
from dataclasses import dataclass

from torch import Tensor

from robustaudio.attacks import PGD, Attack
from robustaudio.audio.draws import Generators
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier, proof_obstacle
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import Batch, finite, seconds_since
from robustaudio.evaluation.certify import Certifying, certify
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import Mark, Ruler
from robustaudio.evaluation.smallest import changing_levels
from robustaudio.perception.levels import floor_16_bit_db
from robustaudio.progress import Progress, Watched, part_of
from robustaudio.threats.norms import LINF, NORMS, Norm

SHARES = (0.3, 0.55, 0.15)  # of the time: proofs, attack, smoothing
PARTS = PROOFS, ATTACK, SMOOTHING = "proofs", "attack", "smoothing"
METHOD = "crown"  # of the proofs


@dataclass(frozen=True)
class Measuring:
    """The parts of a ruler: a smoothing, and an attack in linf."""

    smoothing: Smoothing
    attack: Attack = PGD()  # noqa: RUF009 - frozen


def measure_ruler(
    classifier: Classifier,
    batch: Batch,
    settings: Measuring,
    generator: Generators,
    progress: Progress | None = None,
) -> list[Ruler]:
    """The ruler of each clip, with the settings behind each mark.

    Where `progress` says `Enough`, each part has what it reached so far: a smaller proof, a larger
    attack or none, fewer votes. `ended` names those parts.
    """
    return [
        _ruler(classifier, batch[[i]], settings, generator[[i]], part_of(progress, i, len(batch)))
        for i in range(len(batch))
    ]


def _ruler(
    classifier: Classifier, clip: Batch, settings: Measuring, generator: Generators,
    progress: Progress | None,
) -> Ruler:  # fmt: skip
    """The ruler of a batch of one."""
    attack, smoothing, started = settings.attack, settings.smoothing, time.monotonic()
    watched = [
        Watched(part_of(progress, sum(SHARES[:n]), 1.0, share)) for n, share in enumerate(SHARES)
    ]
    proof, search, votes = watched
    (before,) = predict(classifier, clip)
    label = clip.waveforms.new_tensor([before.index]).long()
    verified, unproven = _largest_levels(classifier, clip.waveforms, label, proof)
    begun = generator.anew()  # every part draws from the beginning
    (attacked,) = changing_levels(classifier, clip, Plan(attack), generator, search, label=label)
    (smoothed,) = certify(classifier, clip, Certifying(smoothing, before=(before,)), begun, votes)
    agrees, method = smoothed.prediction == before.prediction, smoothed.certificate.method
    smoothed_db = smoothed.level_linf_db if agrees else None
    proofs = [Mark("verified", norm, METHOD, verified.get(norm)) for norm in NORMS.values()]
    beside = [
        Mark("attacked", LINF, type(attack).__name__, finite(attacked)),
        Mark("smoothed", LINF, method, smoothed_db),
        Mark("floor_16_bit", LINF, "16 bit", floor_16_bit_db(clip.waveforms[0])),
    ]
    ruler = Ruler(
        classifier=classifier.name,
        prediction=before.prediction,
        marks=(proofs[0], *beside, *proofs[1:]),
        method=METHOD,
        norms=tuple(verified),
        unproven=unproven,
        smoothed_prediction=smoothed.prediction,
        attack=attack,
        smoothed=smoothed,
        ended=tuple(name for name, part in zip(PARTS, watched, strict=True) if part.ended),
        seed=generator.each[0].initial_seed(),
        seconds=seconds_since(started),
    )
    if not ruler.is_consistent:
        raise AssertionError(f"an attack contradicts a proof: {ruler.marks}")
    return ruler


def _largest_levels(
    classifier: Classifier, x: Tensor, label: Tensor, progress: Progress | None
) -> tuple[dict[Norm, float | None], str | None]:
    """The largest verified level per norm; none, and why, where a layer has no interval rule.

    A classifier without a magnitude has no masking set.
    """
    if reason := proof_obstacle(classifier, METHOD):
        return {}, reason
    norms = [norm for norm in NORMS.values() if proof_obstacle(classifier, METHOD, norm) is None]
    verifier, levels = Verifier(classifier, method=METHOD), {}
    for number, norm in enumerate(norms):
        part = part_of(progress, number, len(norms))
        levels[norm] = finite(float(verifier.largest_level(x, label, norm, part)[0]))
    return levels, None
