"""Randomized smoothing: of clips in detail, and of a data set at every radius."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, ClassVar

import torch

from robustaudio import columns
from robustaudio.audio.draws import Generators
from robustaudio.certification.smoothing import Smoothed, Smoothing
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.columns import Column, needed, whole
from robustaudio.evaluation.batch import Batch, LabelledBatch, seconds_since, share
from robustaudio.evaluation.engine import Asked
from robustaudio.evaluation.predict import predict
from robustaudio.evaluation.results import CertifiedClip, Prediction, Summary
from robustaudio.progress import Progress, part_of
from robustaudio.threats.norms import L2, LINF


@dataclass(frozen=True)
class Certifying:
    """A smoothing at a representation. `before` are the plain predictions, where they are known."""

    smoothing: Smoothing
    representation: str = "waveform"
    before: tuple[Prediction, ...] = ()


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
    votes = smoothed(classifier, batch, smoothing, at, generator, progress)
    plain = settings.before or predict(classifier, batch)
    made = []
    for i, waveform in enumerate(batch.waveforms):
        certificate, radius = votes[i].certificate, votes[i].certificate.radius
        at_waveform = at == "waveform" and certificate.prediction is not None
        inscribed = radius / len(waveform) ** 0.5
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
                p_lower=votes[i].p_lower,
                counts=dict(zip(classifier.labels, votes[i].counts.tolist(), strict=True)),
                level_l2_db=L2.level_db(radius, waveform) if at_waveform else None,
                level_linf_db=(LINF.level_db(inscribed, waveform) if at_waveform else None),
                smoothing=smoothing,
                n=votes[i].n,
                largest_radius=smoothing.largest_radius_of(votes[i].n),
                seed=generator.each[i].initial_seed(),
                seconds=seconds_since(started),
            )
        )
    return made


@in_evaluation_mode
@torch.no_grad()
def smoothed(
    classifier: Classifier,
    batch: Batch,
    smoothing: Smoothing,
    representation: str,
    generator: Generators,
    progress: Progress | None,
) -> list[Smoothed]:
    """Smoothing of each clip at a representation."""
    front, back = classifier.split(representation)
    return [
        smoothing(
            back, front(waveform[None])[0], representation=representation, generator=source,
            progress=part_of(progress, number, len(batch)),
        )
        for number, (waveform, source) in enumerate(
            zip(batch.waveforms, generator.each, strict=True)
        )
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CertifiedRow:
    """A clip's label beside the certified one (None: abstained), and the certified radius."""

    label: int
    prediction: int | None
    radius: float
    seconds: float = 0.0


@dataclass(frozen=True)
class CertifyRadii(Asked):
    """Smoothing of a data set, at every radius.

    Raises:
        ValueError: for a radius below 0, or infinite.
    """

    smoothing: Smoothing
    radii: tuple[float, ...]
    representation: str = "waveform"

    row: ClassVar[type] = CertifiedRow
    chunk: ClassVar[int] = 1  # a clip takes many copies of itself

    def __post_init__(self):
        if not all(0 <= radius < inf for radius in self.radii):
            raise ValueError(f"radii {[*self.radii]} must be 0 or more, and finite.")

    @property
    def record(self) -> dict[str, Any]:
        largest = {"largest_radius": self.smoothing.largest_radius}
        return {"representation": self.representation, **asdict(self.smoothing), **largest}

    def columns(self, classifier: Classifier) -> dict[str, Column]:
        label, positive = whole(0, len(classifier.labels) - 1), needed(columns.number(0, 1e9))
        named = {"label": needed(label), "prediction": label}
        return named | dict.fromkeys(("radius", "seconds"), positive)


def certify_radii(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: CertifyRadii,
    generator: Generators,
    progress: Progress | None = None,
) -> list[CertifiedRow]:
    """The certified label and radius of every clip."""
    votes = smoothed(
        classifier, batch, settings.smoothing, settings.representation, generator, progress
    )
    pairs = zip(batch.labels.tolist(), (vote.certificate for vote in votes), strict=True)
    return [CertifiedRow(label=y, prediction=c.prediction, radius=c.radius) for y, c in pairs]


@dataclass(frozen=True)
class CertifiedShare:
    """The share of clips whose certified label is right, with at least a radius."""

    radius: float
    certified_accuracy: float


@dataclass(frozen=True, kw_only=True)
class CertifiedSummary(Summary):
    """Certified accuracy of a data set; `abstained` is a share of all clips."""

    abstained: float
    radii: tuple[CertifiedShare, ...]
    seconds: float


def summary_of_radii(
    classifier: Classifier, batch: LabelledBatch, settings: CertifyRadii, seed: int,
    rows: Sequence[CertifiedRow],
) -> CertifiedSummary:  # fmt: skip
    reached = [row.radius if row.prediction == row.label else -inf for row in rows]
    return CertifiedSummary(
        about=settings.about(classifier, batch, seed),
        abstained=share([row.prediction is None for row in rows]),
        radii=tuple(CertifiedShare(r, share([at >= r for at in reached])) for r in settings.radii),
        seconds=round(sum(row.seconds for row in rows), 3),
    )
