"""More like itself: the sound that a classifier is surest of, from a clip, noise or silence."""

import time
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.attacks import Genetic, Step
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.clips import finite, generator, seconds_since
from robustaudio.evaluation.comparison import compare
from robustaudio.evaluation.results import MaximisedClip, Standing
from robustaudio.perception.levels import amplitude, amplitude_db, check_level
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


def maximise_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    attack: Genetic,
    *,
    label: str,
    level_db: float,
    seed: int,
    progress: Progress | None = None,
) -> MaximisedClip:
    """The surest `label` within a level, in dB of full scale (which is a clip's peak), in linf.

    The search does not stop when the label is heard first; `progress` is told a `Standing`.

    Raises:
        ValueError: for a label that the classifier does not know, or a level that is none.
    """
    started, x = time.monotonic(), waveform[None]
    target = torch.tensor([classifier.label_index(label)], device=x.device)
    threat = ThreatModel(LINF, x.new_tensor([amplitude(check_level(level_db))]))
    criterion, search = TargetedMisclassification(target), replace(attack, stops=False)

    def standing(step: Step) -> Standing:
        best, level = step.best, finite(amplitude_db(step.distance))
        return Standing(step.loss, level, step.population, best and (lambda: best()[0]))

    def tell(done: float, step: Step | None = None) -> None:
        if progress:
            progress(done, step and standing(step))

    result = search(
        classifier, x, criterion, threat, generator=generator(seed, x.device), progress=tell
    )
    perturbed = result.adversarial[0]
    seconds, compared = seconds_since(started), compare(classifier, waveform, perturbed)
    return MaximisedClip(
        **vars(compared),
        attack=type(attack).__name__,
        label=label,
        probability_before=compared.before.probabilities[label],
        probability=compared.probabilities[label],
        level_full_scale_db=level_db,
        queries=int(result.queries[0]),
        course=tuple(standing(step) for step in result.history),
        seed=seed,
        seconds=seconds,
    )
