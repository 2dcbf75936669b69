"""More like itself: the sound that a classifier is surest of, from a clip, noise or silence."""

import time
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import Genetic
from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Standings
from robustaudio.evaluation.batch import Batch, generator, seconds_since
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.results import MaximisedClip
from robustaudio.perception.levels import amplitude, check_level
from robustaudio.progress import Progress
from robustaudio.threats.criterion import TargetedMisclassification
from robustaudio.threats.norms import LINF
from robustaudio.threats.threat_model import ThreatModel

STARTS = ("clip", "noise", "silence")


def start_from(start: str, clip: Float[Tensor, " time"], seed: int) -> Float[Tensor, " time"]:
    """The prepared clip itself, white noise with a peak of 1, or silence, as long as the clip.

    Raises:
        ValueError: for another start.
    """
    match start:
        case "clip":
            return clip
        case "noise":
            rng = generator(seed, clip.device)
            noise = torch.randn(clip.shape, generator=rng, device=clip.device)
            return noise / noise.abs().max()
        case "silence":
            return torch.zeros_like(clip)
    raise ValueError(f"no start {start!r}; choose from {', '.join(STARTS)}.")


@dataclass(frozen=True)
class Maximising:
    """A search for the surest sound of a label, within a level in dB of full scale, in linf."""

    attack: Genetic
    label: str
    level_db: float


def maximise(
    classifier: Classifier,
    batch: Batch,
    settings: Maximising,
    generator: Generators,
    progress: Progress | None = None,
) -> list[MaximisedClip]:
    """The surest sound of a label near each clip.

    The search does not stop when the label is heard first; a `Standing` goes to `progress` with
    every step.

    Raises:
        ValueError: for a label that the classifier does not know, or a level that is none.
    """
    started, x, label = time.monotonic(), batch.waveforms, settings.label
    target = torch.full((len(x),), classifier.label_index(label), device=x.device)
    level = amplitude(check_level(settings.level_db))
    threat = ThreatModel(LINF, x.new_full((len(x),), level))
    criterion, search = TargetedMisclassification(target), replace(settings.attack, stops=False)
    standings = Standings(progress, 1.0, lambda best: best)
    result = search(classifier, x, criterion, threat, generator=generator, progress=standings)
    course, seconds = standings.course(result), seconds_since(started)
    return [
        MaximisedClip(
            **vars(compared),
            attack=type(settings.attack).__name__,
            label=label,
            probability_before=compared.before.probabilities[label],
            probability=compared.probabilities[label],
            level_full_scale_db=settings.level_db,
            queries=int(result.queries[i]),
            course=course,
            seed=generator.each[i].initial_seed(),
            seconds=seconds,
        )
        for i, compared in enumerate(compare(classifier, x, result.adversarial))
    ]
