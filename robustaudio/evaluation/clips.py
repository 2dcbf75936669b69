"""What every verb shares: prepared clips, randomness, progress, shares."""

import time
from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.attacks.attack import Progress
from robustaudio.audio.datasets import Dataset
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode

BATCH = 100  # clips at a time


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """Prepared clips of a data set, ready for one classifier."""

    dataset: str
    split: str
    waveforms: Float[Tensor, "clip time"]
    labels: Int[Tensor, " clip"]
    names: tuple[str, ...]

    @property
    def header(self) -> dict:
        return {"dataset": self.dataset, "split": self.split, "clips": len(self.labels)}


def load_clips(classifier: Classifier, dataset: Dataset) -> LabelledClips:
    """Every clip of one split of a data set, prepared, on the classifier's device."""
    waveforms, labels = classifier.prepare_dataset(dataset)
    split = dataset.rows[0]["split"]
    names = tuple(row["file"] for row in dataset.rows)
    return LabelledClips(
        dataset.name, split, waveforms.to(classifier.device), labels.to(classifier.device), names
    )


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """All randomness of a run.

    Raises:
        ValueError: for a seed outside 0 to 2^63 - 1.
    """
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed {seed} must lie between 0 and 2^63 - 1.")
    return torch.Generator(device).manual_seed(seed)


@in_evaluation_mode
@torch.no_grad()
def predictions(classifier: torch.nn.Module, x: Tensor) -> Int[Tensor, " clip"]:
    return torch.cat([classifier(batch).argmax(-1) for batch in x.split(BATCH)])


def part_of(progress: Progress | None, start: float, of: float, size: float = 1) -> Progress | None:
    """The progress of one part, from `start` on and `size` long, of a run that is `of` long."""
    return progress and (
        lambda done, step=None: progress(min((start + done * size) / of, 1.0), step)
    )


def share(hits: Bool[Tensor, " clip"]) -> float:
    """The share of true values; 0 of nothing is 0."""
    return float(hits.double().mean()) if len(hits) else 0.0


def finite(value: float | Tensor) -> float | None:
    """A number that JSON can hold, or None for an infinite one."""
    value = float(value)
    return value if isfinite(value) else None


def seconds_since(started: float) -> float:
    return round(time.monotonic() - started, 3)
