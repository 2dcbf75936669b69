"""The ruler: for one clip and one classifier, what is proven and what is broken, on one axis.

The axis is that of the linf ball. The proofs against the l2 ball and the masking set stand beside
it, each in its own decibels.
"""

import time

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import PGD, Attack
from robustaudio.certification.smoothing import Smoothing
from robustaudio.certification.verify import Verifier, proof_obstacle
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, smallest_level
from robustaudio.evaluation.certify import certify_clip
from robustaudio.evaluation.clips import finite, seconds_since
from robustaudio.evaluation.predict import predict_clip
from robustaudio.evaluation.results import AXIS, Mark, Ruler
from robustaudio.perception.levels import floor_16_bit_db
from robustaudio.progress import Progress, Watched, part_of
from robustaudio.threats.norms import NORMS, Norm

SHARES = (0.3, 0.55, 0.15)  # of the time: proofs, attack, smoothing
PARTS = PROOFS, ATTACK, SMOOTHING = "proofs", "attack", "smoothing"
METHOD = "crown"  # of the proofs


def measure_ruler(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    smoothing: Smoothing,
    attack: Attack | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ruler:
    """The ruler of one prepared clip, with the settings behind each mark.

    Where `progress` says `Enough`, each part has what it found so far: a smaller proof, a larger
    attack or none, fewer votes. `ended` names those parts.
    """
    attack, started, x = attack or PGD(), time.monotonic(), waveform[None]
    watched = [
        Watched(part_of(progress, sum(SHARES[:n]), 1.0, share)) for n, share in enumerate(SHARES)
    ]
    proof, search, votes = watched
    before = predict_clip(classifier, waveform)
    label = torch.tensor([before.index], device=x.device)
    verified, unproven = _largest_levels(classifier, x, label, proof)
    plan = Plan(attack)
    attacked = smallest_level(
        classifier, waveform, plan, seed=seed, progress=search, label=before.index
    )
    smoothed = certify_clip(
        classifier, waveform, smoothing, representation="waveform", seed=seed, progress=votes,
        before=before,
    )  # fmt: skip
    agrees, name = smoothed.prediction == before.prediction, type(attack).__name__
    marks = [
        Mark(kind="verified", norm=norm, source=METHOD, level_db=verified.get(norm))
        for norm in NORMS.values()
    ]
    marks[1:1] = [
        Mark(kind="attacked", norm=AXIS, source=name, level_db=finite(attacked)),
        Mark(
            kind="smoothed", norm=AXIS, source=smoothed.certificate.method,
            level_db=smoothed.level_linf_db if agrees else None,
        ),
        Mark(
            kind="floor_16_bit", norm=AXIS, source="16 bit", level_db=floor_16_bit_db(waveform)
        ),
    ]  # fmt: skip
    ruler = Ruler(
        classifier=classifier.name,
        prediction=before.prediction,
        marks=tuple(marks),
        method=METHOD,
        norms=tuple(verified),
        unproven=unproven,
        smoothed_prediction=smoothed.prediction,
        attack=attack,
        smoothed=smoothed,
        ended=tuple(name for name, part in zip(PARTS, watched, strict=True) if part.ended),
        seed=seed,
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
