"""What would it take? The smallest level at which a clip is heard as each of the other labels."""

import time

import torch

from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.attack import Plan
from robustaudio.evaluation.batch import Batch, finite, predictions, seconds_since
from robustaudio.evaluation.results import TargetLevels
from robustaudio.evaluation.smallest import smallest_levels
from robustaudio.progress import Progress, part_of
from robustaudio.threats.criterion import TargetedMisclassification


def levels_by_target(
    classifier: Classifier,
    batch: Batch,
    plan: Plan,
    generator: Generators,
    progress: Progress | None = None,
) -> list[TargetLevels]:
    """Levels in dB by target, all targets of a clip at once; None where nothing succeeded.

    They are bounds from above: another attack may find less. The prediction itself is no target.
    """
    made, clean = [], predictions(classifier, batch.waveforms).tolist()
    threat = plan.threat(classifier, batch.waveforms)
    for number, prediction in enumerate(clean):
        started, x = time.monotonic(), batch.waveforms[number]
        targets = [label for label in range(len(classifier.labels)) if label != prediction]
        least = smallest_levels(
            classifier,
            x.repeat(len(targets), 1),
            TargetedMisclassification(torch.tensor(targets, device=x.device)),
            plan,
            generator=generator[[number] * len(targets)],
            progress=part_of(progress, number, len(batch)),
            threat=threat[torch.full((len(targets),), number, device=x.device)],
        )
        made.append(
            TargetLevels(
                classifier=classifier.name,
                prediction=classifier.labels[prediction],
                **plan.record,
                levels_db={
                    classifier.labels[target]: finite(level)
                    for target, level in zip(targets, least.level_db, strict=True)
                },
                queries=int(least.queries.sum()),
                seed=generator.each[number].initial_seed(),
                seconds=seconds_since(started),
            )
        )
    return made
