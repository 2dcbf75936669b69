"""Gaussian noise at a representation: its sound, and the accuracy that it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode
from robustaudio.evaluation.batch import Batch, LabelledBatch, finite, share
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.engine import Asked, Levels, Row, seconds_of
from robustaudio.evaluation.results import NoisyClip
from robustaudio.evaluation.row_file import Label
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
    at, sigma = settings.representation, settings.sigma
    _, back = classifier.split(at)
    noisy = [
        noisy_clip(classifier, waveform[None], at, sigma, source)
        for waveform, source in zip(batch.waveforms, generator.each, strict=True)
    ]
    sounds = torch.cat([clip.waveform for clip in noisy])
    return [
        NoisyClip(
            **vars(compared),
            representation=at,
            sigma=sigma,
            prediction_at_representation=classifier.labels[int(back(clip.features).argmax())],
            inversion_loss_db=finite(clip.inversion_loss_db),
            seed=source.initial_seed(),
        )
        for compared, clip, source in zip(
            compare(classifier, batch.waveforms, sounds), noisy, generator.each, strict=True
        )
    ]


@dataclass(frozen=True, kw_only=True)
class NoiseRow(Row):
    """A clip's label, and what it is taken for under one draw of noise at each sigma."""

    label: Label
    after: list[Label]


@dataclass(frozen=True)
class NoisyShare:
    """The share of the clips that is right under noise."""

    sigma: float
    accuracy: float


@dataclass(frozen=True)
class NoiseSummary:
    """The accuracy that noise leaves at each sigma."""

    levels: tuple[NoisyShare, ...]
    seconds: float


@dataclass(frozen=True)
class NoiseLevels(Asked):
    """Noise at a representation, at every sigma."""

    sigmas: Levels
    representation: str = "waveform"

    row = NoiseRow

    def summary(self, rows: Sequence[NoiseRow]) -> NoiseSummary:
        levels = (
            NoisyShare(sigma, share([row.after[at] == row.label for row in rows]))
            for at, sigma in enumerate(self.sigmas)
        )
        return NoiseSummary(tuple(levels), seconds_of(rows))


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
