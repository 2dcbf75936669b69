"""Gaussian noise at a representation: its sound, and the accuracy that it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from robustaudio import columns
from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.columns import Column, list_of, needed, whole
from robustaudio.evaluation.batch import Batch, LabelledBatch, finite, share
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.engine import Asked
from robustaudio.evaluation.results import NoisyClip, Summary
from robustaudio.progress import Progress
from robustaudio.threats.noise import gaussian_noise, noisy_clip


@dataclass(frozen=True)
class AddingNoise:
    """Noise of a standard deviation, in the units of the representation that receives it."""

    sigma: float
    representation: str = "waveform"


@in_evaluation_mode
def add_noise(
    classifier: Classifier,
    batch: Batch,
    settings: AddingNoise,
    generator: Generators,
    progress: Progress | None = None,
) -> list[NoisyClip]:
    """Gaussian noise at a representation; the sound is what its inversion gives."""
    at, sigma, made = settings.representation, settings.sigma, []
    _, back = classifier.split(at)
    for waveform, source in zip(batch.waveforms, generator.each, strict=True):
        noisy = noisy_clip(classifier, waveform[None], at, sigma, source)
        made.append(
            NoisyClip(
                **vars(compare(classifier, waveform, noisy.waveform[0])),
                representation=at,
                sigma=sigma,
                prediction_at_representation=classifier.labels[int(back(noisy.features).argmax())],
                inversion_loss_db=finite(noisy.inversion_loss_db),
                seed=source.initial_seed(),
            )
        )
    return made


@dataclass(frozen=True, kw_only=True)
class NoiseRow:
    """A clip's label, and what it is taken for under one draw of noise at each sigma."""

    label: int
    after: list[int]
    seconds: float = 0.0


@dataclass(frozen=True)
class NoiseLevels(Asked):
    """Noise at a representation, at every sigma."""

    sigmas: tuple[float, ...]
    representation: str = "waveform"

    row: ClassVar[type] = NoiseRow

    @property
    def record(self) -> dict[str, Any]:
        return {"representation": self.representation}

    @property
    def header(self) -> dict[str, Any]:
        return {"sigmas": list(self.sigmas)}

    def columns(self, classifier: Classifier) -> dict[str, Column]:
        label = needed(whole(0, len(classifier.labels) - 1))
        after = needed(list_of(len(self.sigmas), label))
        return {"label": label, "after": after, "seconds": needed(columns.number(0, 1e9))}


@in_evaluation_mode
@torch.no_grad()
def noise_levels(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: NoiseLevels,
    generator: Generators,
    progress: Progress | None = None,
) -> list[NoiseRow]:
    """Predictions under one draw of noise per clip and sigma."""
    front, back = classifier.split(settings.representation)
    clean, after = front(batch.waveforms), []
    for number, sigma in enumerate(settings.sigmas):
        if progress:
            progress(number / len(settings.sigmas))
        after.append(back(gaussian_noise(clean, sigma, generator)).argmax(-1).tolist())
    return [
        NoiseRow(label=label, after=[level[i] for level in after])
        for i, label in enumerate(batch.labels.tolist())
    ]


@dataclass(frozen=True)
class NoisyShare:
    """The share of the clips that is right under noise."""

    sigma: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class NoiseSummary(Summary):
    """The accuracy that noise leaves at each sigma."""

    levels: tuple[NoisyShare, ...]
    seconds: float


def summary_of_noise(
    classifier: Classifier, batch: LabelledBatch, settings: NoiseLevels, seed: int,
    rows: Sequence[NoiseRow],
) -> NoiseSummary:  # fmt: skip
    return NoiseSummary(
        about=settings.about(classifier, batch, seed),
        levels=tuple(
            NoisyShare(sigma, share([row.after[at] == row.label for row in rows]))
            for at, sigma in enumerate(settings.sigmas)
        ),
        seconds=round(sum(row.seconds for row in rows), 3),
    )
