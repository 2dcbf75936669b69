"""What would it take? The smallest level at which a clip is heard as each of the other labels."""

import time

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan, smallest_levels
from robustaudio.evaluation.clips import finite, generator, predictions, seconds_since
from robustaudio.evaluation.results import TargetLevels
from robustaudio.progress import Progress
from robustaudio.threats.criterion import TargetedMisclassification


def levels_by_target(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    plan: Plan,
    *,
    seed: int,
    progress: Progress | None = None,
) -> TargetLevels:
    """Levels in dB by target, all targets in one batch; None where the attack found nothing.

    They are bounds from above: another attack may find less. The prediction itself is no target.
    """
    started, x = time.monotonic(), waveform[None]
    prediction = int(predictions(classifier, x))
    targets = [label for label in range(len(classifier.labels)) if label != prediction]
    found = smallest_levels(
        classifier,
        x.repeat(len(targets), 1),
        TargetedMisclassification(torch.tensor(targets, device=x.device)),
        plan,
        rng=generator(seed, x.device),
        progress=progress,
    )
    return TargetLevels(
        classifier=classifier.name,
        prediction=classifier.labels[prediction],
        **plan.record,
        levels_db={
            classifier.labels[target]: finite(level)
            for target, level in zip(targets, found.level_db, strict=True)
        },
        queries=int(found.queries.sum()),
        seed=seed,
        seconds=seconds_since(started),
    )
