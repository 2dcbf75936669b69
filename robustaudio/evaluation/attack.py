"""Attacks on a clip, on a data set, and the smallest level that breaks a clip."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from math import inf

import torch
from jaxtyping import Float, Int
from torch import Tensor

from robustaudio.attacks import Attack
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.clips import (
    BATCH,
    LabelledClips,
    Progress,
    generator,
    part_of,
    predictions,
    seconds_since,
    share,
)
from robustaudio.evaluation.perturbed import PerturbedClip, compare
from robustaudio.perception import metrics
from robustaudio.threats.criterion import Criterion, Misclassification, TargetedMisclassification
from robustaudio.threats.threat_model import threat_at

LOWEST_ATTACK_DB, SECTIONS, ROUNDS = -120.0, 12, 3  # 120 dB / 13^3: levels to 0.06 dB


def attack_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    attack: Attack,
    *,
    norm: str,
    level_db: float,
    target: int | None,
    seed: int,
    progress: Progress | None = None,
) -> PerturbedClip:
    """Attacks the prediction on one prepared clip; `target` None leaves it, else goes there.

    Raises:
        ValueError: if the target is already the prediction.
    """
    x, started = waveform[None], time.monotonic()
    label = predictions(classifier, x)
    if target is not None and target == int(label):
        raise ValueError(f"the target {classifier.labels[target]!r} is already the prediction.")
    criterion = _criterion(label, None if target is None else label.new_tensor([target]))
    threat = threat_at(classifier, x, level_db, norm)
    result = attack(
        classifier, x, criterion, threat, generator=generator(seed, x.device), progress=progress
    )
    perturbed = result.adversarial[0]
    record = {
        "success": bool(result.is_adversarial[0]),
        "attack": type(attack).__name__.lower(),
        "output": None,
        "norm": norm,
        "targeted": target is not None,
        "target": classifier.label_of(target),
        "budget_db": level_db,
        "queries": int(result.queries[0]),
        "history": result.history.tolist(),
        "seconds": seconds_since(started),
    }
    return PerturbedClip(
        waveform,
        perturbed,
        {
            **compare(classifier, waveform, perturbed, criterion),
            **record,
            "settings": asdict(attack),
            "seed": seed,
        },
    )


def attack_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    attack: Attack,
    name: str,
    *,
    norm: str,
    levels_db: Sequence[float],
    targeted: bool,
    seed: int,
    progress: Progress | None = None,
) -> dict:
    """Success rate (of the clips that can still be fooled) and robust accuracy at each level.

    Targets are random wrong labels, the same at every level.
    """
    started = time.monotonic()
    x, y, rng = clips.waveforms, clips.labels, generator(seed, clips.waveforms.device)
    clean = predictions(classifier, x)
    shift = torch.randint(1, len(classifier.labels), y.shape, generator=rng, device=y.device)
    targets = (y + shift) % len(classifier.labels) if targeted else None
    attackable = clean != targets if targeted else clean == y
    levels = []
    for number, level_db in enumerate(levels_db):
        adversarial = attacked(
            classifier,
            x,
            y,
            targets,
            attack,
            norm,
            level_db,
            rng,
            part_of(progress, number, len(levels_db)),
        )
        after = predictions(classifier, adversarial)
        success = after == targets if targeted else after != y
        levels.append(
            {
                "level_db": level_db,
                "success_rate": share(success[attackable]),
                "robust_accuracy": share((clean == y) & (after == y)),
            }
        )
    return {
        "classifier": classifier.name,
        "attack": name,
        **clips.header,
        "norm": norm,
        "targeted": targeted,
        "settings": asdict(attack),
        "seed": seed,
        "clean_accuracy": share(clean == y),
        "levels": levels,
        "seconds": seconds_since(started),
    }


def attacked(
    classifier: Classifier,
    x: Float[Tensor, "clip time"],
    label: Int[Tensor, " clip"],
    targets: Int[Tensor, " clip"] | None,
    attack: Attack,
    norm: str,
    level_db: float,
    rng: torch.Generator,
    progress: Progress | None = None,
) -> Float[Tensor, "clip time"]:
    """The adversarial clips of a data set at one level, in batches."""
    out = []
    for start in range(0, len(x), BATCH):
        at = slice(start, start + BATCH)
        criterion = _criterion(label[at], None if targets is None else targets[at])
        threat = threat_at(classifier, x[at], level_db, norm)
        part = part_of(progress, start, len(x), BATCH)
        result = attack(classifier, x[at], criterion, threat, generator=rng, progress=part)
        out.append(result.adversarial)
    return torch.cat(out)


def smallest_level(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    attack: Attack,
    *,
    norm: str,
    seed: int,
    progress: Progress | None = None,
) -> float:
    """Smallest level in dB at which the attack changes the prediction; inf if none up to 0 dB.

    Levels are tried 12 at a time in one batch, then 12 between the smallest success and the
    level below it. The level returned is that of the perturbation found.
    """
    rng, label = generator(seed, waveform.device), predictions(classifier, waveform[None])
    clean, labels = waveform.expand(SECTIONS, -1), label.expand(SECTIONS)
    low, width, best = LOWEST_ATTACK_DB, -LOWEST_ATTACK_DB, inf
    for turn in range(ROUNDS):
        step = width / (SECTIONS + (turn > 0))
        levels = low + step * torch.arange(1, SECTIONS + 1, dtype=torch.float64)
        threat = threat_at(classifier, clean, levels, norm)
        result = attack(
            classifier,
            clean,
            Misclassification(labels),
            threat,
            generator=rng,
            progress=part_of(progress, turn, ROUNDS),
        )
        fooled = result.is_adversarial.nonzero().flatten()
        if len(fooled):
            first = int(fooled[0])
            found = (result.adversarial - clean)[fooled]
            sizes = threat[fooled].distance(found) / metrics.REFERENCES[norm](clean[fooled])
            best = min(best, float(20 * sizes.log10().min()))
            low += step * first
        elif turn == 0:
            return inf
        else:
            low += step * SECTIONS
        width = step
    return best


def _criterion(label: Tensor, target: Tensor | None) -> Criterion:
    return Misclassification(label) if target is None else TargetedMisclassification(target)
