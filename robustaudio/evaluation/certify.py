"""Randomized smoothing of a clip and of a data set."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.certification.smoothing import Smoothed, Smoothing
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.clips import LabelledClips, generator, seconds_since, share
from robustaudio.evaluation.predict import predict_clip
from robustaudio.evaluation.results import CertifiedClip, Prediction
from robustaudio.progress import Progress, part_of
from robustaudio.threats.norms import L2, LINF


def certify_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    smoothing: Smoothing,
    *,
    representation: str,
    seed: int,
    progress: Progress | None = None,
    before: Prediction | None = None,
) -> CertifiedClip:
    """The smoothed classifier's class and radius on one clip, with the votes.

    At the waveform the l2 radius R is also given as levels: R against the clip's l2 norm, and
    R / sqrt(T) against its peak, for the linf ball that lies inside the l2 ball. `n` counts the
    votes: they are fewer than asked for where `progress` said `Enough`. `before` is the plain
    classifier's prediction, made here where it is not known.
    """
    started, rng = time.monotonic(), generator(seed, waveform.device)
    smoothed = smooth_clip(
        classifier, waveform, smoothing, representation=representation, rng=rng, progress=progress
    )
    certificate, radius = smoothed.certificate, smoothed.certificate.radius
    at_waveform = representation == "waveform" and certificate.prediction is not None
    inscribed = radius / len(waveform) ** 0.5
    return CertifiedClip(
        classifier=classifier.name,
        clean_prediction=(before or predict_clip(classifier, waveform)).prediction,
        prediction=classifier.label_of(certificate.prediction),
        certificate=certificate,
        radius=radius,
        norm=certificate.norm,
        representation=representation,
        confidence=certificate.confidence,
        p_lower=smoothed.p_lower,
        counts=dict(zip(classifier.labels, smoothed.counts.tolist(), strict=True)),
        level_l2_db=L2.level_db(radius, waveform) if at_waveform else None,
        level_linf_db=LINF.level_db(inscribed, waveform) if at_waveform else None,
        smoothing=smoothing,
        n=smoothed.n,
        largest_radius=smoothing.largest_radius_of(smoothed.n),
        seed=seed,
        seconds=seconds_since(started),
    )


def certify_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    smoothing: Smoothing,
    *,
    representation: str,
    radii: Sequence[float],
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """Share of clips whose certified class is right with at least each radius."""
    started, rng = time.monotonic(), generator(seed, clips.waveforms.device)
    if not all(0 <= radius < inf for radius in radii):
        raise ValueError(f"radii {[*radii]} must be 0 or more, and finite.")
    certificates = []
    for number, waveform in enumerate(clips.waveforms):
        certificates.append(
            smooth_clip(
                classifier,
                waveform,
                smoothing,
                representation=representation,
                rng=rng,
                progress=part_of(progress, number, len(clips.labels)),
            ).certificate
        )
    right = [
        c.radius if c.prediction == int(y) else -inf
        for c, y in zip(certificates, clips.labels, strict=True)
    ]
    reached = torch.tensor(right, dtype=torch.float64)
    return {
        "classifier": classifier.name,
        **clips.header,
        "representation": representation,
        **asdict(smoothing),
        "largest_radius": smoothing.largest_radius,
        "seed": seed,
        "abstained": sum(c.prediction is None for c in certificates) / len(certificates),
        "radii": [{"radius": r, "certified_accuracy": share(reached >= r)} for r in radii],
        "seconds": seconds_since(started),
    }


@in_evaluation_mode
def smooth_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    smoothing: Smoothing,
    *,
    representation: str,
    rng: torch.Generator,
    progress: Progress | None = None,
) -> Smoothed:
    """Smoothing of one prepared clip at a representation."""
    front, back = classifier.split(representation)
    with torch.no_grad():
        features = front(waveform[None])[0]
    return smoothing(
        back, features, representation=representation, generator=rng, progress=progress
    )
