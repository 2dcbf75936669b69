"""Randomized smoothing: of clips in detail, and of a data set at every radius."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any

import torch

from robustaudio.audio.draws import Generators
from robustaudio.certification.smoothing import Smoothing
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.batch import Batch, LabelledBatch, seconds_since, share
from robustaudio.evaluation.engine import Asked, Row, seconds_of
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import Carried, CertifiedClip, Entry, Prediction
from robustaudio.evaluation.row_file import Label, Positive
from robustaudio.progress import Progress, part_of
from robustaudio.threats.norms import L2, LINF


@dataclass(frozen=True)
class Certifying:
    """A smoothing at a representation. `before` are the plain predictions, where they are known."""

    smoothing: Smoothing
    representation: str = "waveform"
    before: tuple[Prediction, ...] = ()


@in_evaluation_mode
@torch.no_grad()
def certify(
    classifier: Classifier,
    batch: Batch,
    settings: Certifying,
    generator: Generators,
    progress: Progress | None = None,
) -> list[CertifiedClip]:
    """The smoothed classifier's class and radius on each clip, with the votes.

    At the waveform the l2 radius R is also given as levels: R against the clip's l2 norm, and
    R / sqrt(T) against its peak, for the linf ball that lies inside the l2 ball. `n` counts the
    votes: they are fewer than asked for where `progress` said `Enough`.
    """
    started, smoothing, at = time.monotonic(), settings.smoothing, settings.representation
    front, back = classifier.split(at)
    plain, made = settings.before or predict(classifier, batch), []
    for i, (x, source) in enumerate(zip(batch.waveforms, generator.each, strict=True)):
        smoothed = smoothing(
            back, front(x[None])[0], representation=at, generator=source,
            progress=part_of(progress, i, len(batch)),
        )  # fmt: skip
        certificate, radius = smoothed.certificate, smoothed.certificate.radius
        at_waveform = at == "waveform" and certificate.prediction is not None
        made.append(
            CertifiedClip(
                classifier=classifier.name,
                clean_prediction=plain[i].prediction,
                prediction=classifier.label_of(certificate.prediction),
                certificate=certificate,
                radius=radius,
                norm=certificate.norm,
                representation=at,
                confidence=certificate.confidence,
                p_lower=smoothed.p_lower,
                counts=dict(zip(classifier.labels, smoothed.counts.tolist(), strict=True)),
                level_l2_db=L2.level_db(radius, x) if at_waveform else None,
                level_linf_db=LINF.level_db(radius / len(x) ** 0.5, x) if at_waveform else None,
                smoothing=smoothing,
                n=smoothed.n,
                largest_radius=smoothing.largest_radius_of(smoothed.n),
                seed=source.initial_seed(),
                seconds=seconds_since(started),
            )
        )
    return made


@dataclass(frozen=True, kw_only=True)
class CertifiedRow(Row):
    """A clip's label beside the certified one (None: abstained), and the certified radius."""

    label: Label
    prediction: Label | None
    radius: Positive


@dataclass(frozen=True)
class CertifiedShare:
    """The share of clips whose certified label is right, with at least a radius."""

    radius: float
    certified_accuracy: float


@dataclass(frozen=True)
class CertifiedSummary:
    """Certified accuracy of a data set; `abstained` is a share of all clips."""

    abstained: float
    radii: tuple[CertifiedShare, ...]
    seconds: float


@dataclass(frozen=True)
class CertifyRadii(Asked):
    """Smoothing of a data set, at every radius.

    Raises:
        ValueError: for a radius below 0, or infinite.
    """

    smoothing: Annotated[Smoothing, Entry(inline=True)]
    radii: Carried[tuple[float, ...]]
    representation: str = "waveform"

    row = CertifiedRow
    chunk = 1  # a clip takes many copies of itself

    def __post_init__(self):
        if not all(0 <= radius < inf for radius in self.radii):
            raise ValueError(f"radii {[*self.radii]} must be 0 or more, and finite.")

    @property
    def record(self) -> dict[str, Any]:
        return super().record | {"largest_radius": self.smoothing.largest_radius}

    def summary(self, rows: Sequence[CertifiedRow]) -> CertifiedSummary:
        reached = [row.radius if row.prediction == row.label else -inf for row in rows]
        shares = (CertifiedShare(r, share([at >= r for at in reached])) for r in self.radii)
        abstained = share([row.prediction is None for row in rows])
        return CertifiedSummary(abstained, tuple(shares), seconds_of(rows))


def certify_radii(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: CertifyRadii,
    generator: Generators,
    progress: Progress | None = None,
) -> list[CertifiedRow]:
    """The certified label and radius of every clip."""
    certifying = Certifying(settings.smoothing, settings.representation)
    clips = certify(classifier, batch, certifying, generator, progress)
    certificates = ((clip.certificate.prediction, clip.radius) for clip in clips)
    return [
        CertifiedRow(label=label, prediction=prediction, radius=radius)
        for label, (prediction, radius) in zip(batch.labels.tolist(), certificates, strict=True)
    ]
