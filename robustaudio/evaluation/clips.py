"""What every verb shares: prepared clips, randomness, progress, shares."""

import time
from dataclasses import dataclass
from math import isfinite

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.audio.datasets import Dataset
from robustaudio.audio.exact import exact
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode

BATCH = 100  # clips at a time


@dataclass(frozen=True, eq=False)
class LabelledClips:
    """Prepared clips of a data set, ready for one classifier.

    `unreadable` is how many files were left out; None where none might be.
    """

    dataset: str
    split: str
    waveforms: Float[Tensor, "clip time"]
    labels: Int[Tensor, " clip"]
    names: tuple[str, ...]
    unreadable: int | None = None

    @property
    def header(self) -> dict:
        counts = {"dataset": self.dataset, "split": self.split, "clips": len(self.labels)}
        return counts | ({} if self.unreadable is None else {"unreadable": self.unreadable})


def load_clips(
    classifier: Classifier, dataset: Dataset, *, skip_unreadable: bool = False
) -> LabelledClips:
    """Every clip of one split of a data set, prepared, on the classifier's device.

    Raises:
        ValueError: naming all labels that the classifier does not know, or all files that cannot
            be read; with `skip_unreadable` those are left out, and counted.
    """
    dataset.check_labels(classifier.labels, classifier.name or "the classifier")
    readable, clips = dataset.read(
        classifier.prepare, skip_unreadable=skip_unreadable, sample_rate=classifier.sample_rate
    )
    labels = [classifier.label_index(row["label"]) for row in readable.rows]
    return LabelledClips(
        dataset.name,
        dataset.rows[0]["split"],
        torch.stack([clip.samples for clip in clips]).to(classifier.device),
        torch.tensor(labels, device=classifier.device),
        tuple(row["file"] for row in readable.rows),
        len(dataset) - len(readable) if skip_unreadable else None,
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


def share(hits: Bool[Tensor, " clip"]) -> float:
    """The share of true values; 0 of nothing is 0."""
    return float(exact(hits).mean()) if len(hits) else 0.0


def finite(value: float | Tensor) -> float | None:
    """A number that JSON can hold, or None for an infinite one."""
    value = float(value)
    return value if isfinite(value) else None


def seconds_since(started: float) -> float:
    return round(time.monotonic() - started, 3)
