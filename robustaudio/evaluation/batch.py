"""Batches of prepared clips, and what every verb shares: randomness, progress, shares."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isfinite
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustaudio.audio.datasets import Dataset
from robustaudio.audio.draws import Generators
from robustaudio.audio.float64 import exact
from robustaudio.classifiers.classifier import Classifier
from robustaudio.classifiers.evaluation_mode import in_evaluation_mode

BATCH = 100  # clips at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Prepared clips for one classifier; a single clip, which has no name, is a batch of one."""

    names: tuple[str, ...] = ("",)
    waveforms: Float[Tensor, "clip time"]

    @classmethod
    def of(cls, waveform: Float[Tensor, " time"]) -> "Batch":
        return Batch(waveforms=waveform[None])

    def __len__(self) -> int:
        return len(self.waveforms)

    def __getitem__(self, numbers: Sequence[int]) -> Self:
        """Those clips, in that order."""
        names = tuple(self.names[number] for number in numbers)
        return replace(self, names=names, waveforms=self.waveforms[list(numbers)])


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledBatch(Batch):
    """Clips of a data set with their labels.

    `unreadable` is how many files were left out; None where none might be.
    """

    dataset: str
    split: str
    labels: Int[Tensor, " clip"]
    unreadable: int | None = None

    def __getitem__(self, numbers: Sequence[int]) -> Self:
        return replace(super().__getitem__(numbers), labels=self.labels[list(numbers)])

    @property
    def header(self) -> dict:
        """The entries of a record that say which clips they were."""
        counts = {"dataset": self.dataset, "split": self.split, "clips": len(self)}
        return counts | ({} if self.unreadable is None else {"unreadable": self.unreadable})


def load_clips(
    classifier: Classifier, dataset: Dataset, *, skip_unreadable: bool = False
) -> LabelledBatch:
    """Every clip of one split of a data set, prepared, on the classifier's device.

    Raises:
        ValueError: naming all labels that the classifier does not know, or all files that cannot
            be read; with `skip_unreadable` those are left out, and counted.
    """
    dataset.check_labels(classifier.labels, classifier.name or "the classifier")
    readable, clips = dataset.read(
        classifier.prepare, skip_unreadable=skip_unreadable, sample_rate=classifier.sample_rate
    )
    labels = [classifier.label_index(row.label) for row in readable.rows]
    return LabelledBatch(
        dataset=dataset.name,
        split=dataset.rows[0].split,
        waveforms=torch.stack([clip.samples for clip in clips]).to(classifier.device),
        labels=torch.tensor(labels, device=classifier.device),
        names=tuple(row.file for row in readable.rows),
        unreadable=len(dataset) - len(readable) if skip_unreadable else None,
    )


def generators(seed: int, batch: Batch) -> Generators:
    """The randomness of a run: one source per clip, made from the seed and the clip's name.

    Raises:
        ValueError: for a seed outside 0 to 2^63 - 1.
    """
    device = batch.waveforms.device
    return Generators(tuple(generator(seed_of(seed, name), device) for name in batch.names))


def seed_of(seed: int, name: str) -> int:
    """The seed of a clip in a run: the run's own for a clip without a name."""
    if not name:
        return seed
    return int.from_bytes(sha256(f"{seed} {name}".encode()).digest()[:8], "big") % 2**63


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """One source of randomness.

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


def share(hits: Bool[Tensor, " clip"] | Sequence[bool]) -> float:
    """The share of true values; 0 of nothing is 0."""
    hits = torch.as_tensor(hits, dtype=torch.bool)
    return float(exact(hits).mean()) if len(hits) else 0.0


def finite(value: float | Tensor) -> float | None:
    """A number that JSON can hold, or None for an infinite one."""
    value = float(value)
    return value if isfinite(value) else None


def seconds_since(started: float) -> float:
    return round(time.monotonic() - started, 3)
