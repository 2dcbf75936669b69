"""What the classifiers of a task are trained, chosen and tested on."""

from dataclasses import dataclass, replace

from robustaudio.audio.datasets import Dataset, open_dataset
from robustaudio.audio.tasks import Task


@dataclass(frozen=True)
class Corpus:
    """The data of a task; `rendered` sounds may stand beside the recordings it is trained on."""

    recorded: Dataset
    rendered: Dataset
    validation: Dataset
    rendered_validation: Dataset
    bundled: Dataset
    test: Dataset


def corpus_of(task: Task) -> Corpus:
    """The data sets of a task, opened.

    Raises:
        ValueError: if one is not at hand.
    """
    data = task.data
    recorded, rendered = open_dataset(data.recorded), open_dataset(data.rendered)
    train = recorded.select("train")
    held_out = recorded.select("val") if data.validation is None else train
    return Corpus(
        recorded=_with_indices(train, data.training),
        rendered=rendered.select("train"),
        validation=_with_indices(held_out, data.validation),
        rendered_validation=rendered.select("val"),
        bundled=task.bundled(),
        test=recorded.select("test"),
    )


def _with_indices(dataset: Dataset, indices: range | None) -> Dataset:
    """The recordings whose group ends with one of the indices (None: all)."""
    if indices is None:
        return dataset
    rows = (row for row in dataset.rows if int(row.group.rsplit("_", 1)[1]) in indices)
    return replace(dataset, rows=tuple(rows))
