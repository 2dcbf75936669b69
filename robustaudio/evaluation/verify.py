"""Interval verification of a clip and of a data set."""

import time
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from robustaudio.certification.verify import Verification, Verifier
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.clips import (
    BATCH,
    LabelledClips,
    Progress,
    finite,
    seconds_since,
    share,
)
from robustaudio.perception import metrics


def verify_clip(
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    *,
    norm: str,
    level_db: float,
    progress: Progress | None = None,
) -> dict:
    """The verdict at a level, the bounds of all logits there, and the largest level that holds."""
    started, verifier, x = time.monotonic(), Verifier(classifier), waveform[None]
    label = verifier.predict(x)
    at = verifier.verify(x, label, metrics.epsilon_at(level_db, x.double(), norm), norm)
    largest = float(verifier.largest_level(x, label, norm, progress)[0])
    return {
        "classifier": classifier.name,
        "prediction": classifier.labels[int(label)],
        "norm": norm,
        "method": "interval",
        "level_db": level_db,
        "epsilon": float(at.threat.epsilon[0]),
        "verified": bool(at.verified[0]),
        "worst_logits": worst_logits(classifier, at),
        "logits_lower": dict(zip(classifier.labels, at.logits.lower[0].tolist(), strict=True)),
        "logits_upper": dict(zip(classifier.labels, at.logits.upper[0].tolist(), strict=True)),
        "largest_level_db": finite(largest),
        "floor_16_bit_db": metrics.floor_16_bit_db(waveform),
        "seconds": seconds_since(started),
    }


def worst_logits(classifier: Classifier, verification: Verification, item: int = 0) -> dict:
    """How far each other label can come, relative to the prediction: positive could win."""
    margins = (-verification.margins[item]).tolist()
    return dict(zip(classifier.labels, margins, strict=True))


def verify_dataset(
    classifier: Classifier,
    clips: LabelledClips,
    *,
    norm: str,
    levels_db: Sequence[float],
    progress: Progress | None = None,
) -> dict:
    """Verified accuracy over ALL clips, and provability: the share of the correct ones."""
    started, verifier = time.monotonic(), Verifier(classifier)
    correct = torch.cat([verifier.predict(x) for x in clips.waveforms.split(BATCH)]) == clips.labels
    levels = []
    for number, level_db in enumerate(levels_db):
        if progress:
            progress(number / len(levels_db))
        level = torch.full((len(correct),), level_db, device=correct.device, dtype=torch.float64)
        held = correct & verifier.verified_at(clips.waveforms, clips.labels, level, norm)
        levels.append(
            {
                "level_db": level_db,
                "verified_accuracy": share(held),
                "provability": share(held[correct]),
            }
        )
    return {
        "classifier": classifier.name,
        **clips.header,
        "norm": norm,
        "method": "interval",
        "clean_accuracy": share(correct),
        "levels": levels,
        "seconds": seconds_since(started),
    }
