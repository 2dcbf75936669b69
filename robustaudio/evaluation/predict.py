"""What a classifier takes clips for, and how often it is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from robustaudio import columns
from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.columns import Column, needed, whole
from robustaudio.evaluation.batch import Batch, LabelledBatch, predictions, share
from robustaudio.evaluation.engine import Asked
from robustaudio.evaluation.results import Prediction, Summary
from robustaudio.progress import Progress


def predict(
    classifier: Classifier,
    batch: Batch,
    settings: None = None,
    generator: Generators | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """The label of every clip, and the probability of each label."""
    made = []
    for p in classifier.probabilities(batch.waveforms).tolist():
        probabilities = dict(zip(classifier.labels, p, strict=True))
        most = max(probabilities, key=probabilities.__getitem__)
        made.append(Prediction(classifier.name, most, probabilities))
    return made


@dataclass(frozen=True, kw_only=True)
class PredictedRow:
    """A clip's label, and what it is taken for, by their numbers."""

    label: int
    clean: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Predicting(Asked):
    """How often a classifier is right on a data set."""

    row: ClassVar[type] = PredictedRow
    seeded: ClassVar[bool] = False

    def columns(self, classifier: Classifier) -> dict[str, Column]:
        label = needed(whole(0, len(classifier.labels) - 1))
        return {"label": label, "clean": label, "seconds": needed(columns.number(0, 1e9))}


def predict_labels(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: Predicting,
    generator: Generators,
    progress: Progress | None = None,
) -> list[PredictedRow]:
    """The label of every clip beside the predicted one."""
    clean = predictions(classifier, batch.waveforms).tolist()
    pairs = zip(batch.labels.tolist(), clean, strict=True)
    return [PredictedRow(label=label, clean=heard) for label, heard in pairs]


@dataclass(frozen=True, kw_only=True)
class PredictedSummary(Summary):
    """The share of a data set's clips that is taken for what it is."""

    clean_accuracy: float
    seconds: float


def summary_of_predictions(
    classifier: Classifier, batch: LabelledBatch, settings: Predicting, seed: int,
    rows: Sequence[PredictedRow],
) -> PredictedSummary:  # fmt: skip
    return PredictedSummary(
        about=settings.about(classifier, batch, seed),
        clean_accuracy=share([row.clean == row.label for row in rows]),
        seconds=round(sum(row.seconds for row in rows), 3),
    )
