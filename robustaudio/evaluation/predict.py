"""What a classifier takes clips for, and how often it is right."""

from collections.abc import Sequence
from dataclasses import dataclass

from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.evaluation.batch import Batch, LabelledBatch, predictions, share
from robustaudio.evaluation.engine import Asked, Row, seconds_of
from robustaudio.evaluation.results import Prediction
from robustaudio.evaluation.row_file import Label
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
class PredictedRow(Row):
    """A clip's label, and what it is taken for."""

    label: Label
    clean: Label


@dataclass(frozen=True)
class PredictedSummary:
    """The share of a data set's clips that is taken for what it is."""

    clean_accuracy: float
    seconds: float


@dataclass(frozen=True)
class Predicting(Asked):
    """How often a classifier is right on a data set."""

    row = PredictedRow
    seeded = False

    def summary(self, rows: Sequence[PredictedRow]) -> PredictedSummary:
        right = [row.clean == row.label for row in rows]
        return PredictedSummary(share(right), seconds_of(rows))


def predict_labels(
    classifier: Classifier,
    batch: LabelledBatch,
    settings: Predicting,
    generator: Generators,
    progress: Progress | None = None,
) -> list[PredictedRow]:
    """The label of every clip beside the predicted one."""
    predicted = predictions(classifier, batch.waveforms).tolist()
    pairs = zip(batch.labels.tolist(), predicted, strict=True)
    return [PredictedRow(label=label, clean=prediction) for label, prediction in pairs]
