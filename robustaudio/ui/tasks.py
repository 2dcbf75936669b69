"""The tasks of the page: which clips and classifiers belong together, and where a task begins."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from robustaudio.audio.datasets import BUNDLED_PREFIX, Dataset, open_dataset
from robustaudio.ui.figures import shown_label

CORPUS_CLIPS = 44  # of a data set's test split, offered beside the bundled ones


@dataclass(frozen=True)
class Task:
    """What a classifier tells apart; `name` is the one that its card and the bundled clips have.

    `corpora` are data sets of real recordings, offered where they are at hand; `classifier` and
    `clip` are what the task begins with, a pair that breaks at the level the page begins with.
    """

    name: str
    shown: str
    corpora: tuple[str, ...]
    classifier: str
    clip: str

    def clips(self) -> dict[str, Path]:
        """The clips to choose from, by the name shown: the bundled ones first."""
        bundled = open_dataset(BUNDLED_PREFIX + self.name)
        clips = _named(bundled, lambda row: row["speaker_or_source"])
        for corpus in self._at_hand():
            clips |= _named(
                corpus, lambda row, name=corpus.name: f"{name} {Path(row['file']).stem}"
            )
        return clips

    def one_per_label(self) -> dict[str, Path]:
        """The first bundled clip of every label, by the name shown."""
        bundled = open_dataset(BUNDLED_PREFIX + self.name)
        firsts = {row["label"]: row for row in reversed(bundled.rows)}
        rows = tuple(firsts[label] for label in sorted(firsts))
        return _named(replace(bundled, rows=rows), lambda row: row["speaker_or_source"])

    def _at_hand(self) -> Iterator[Dataset]:
        for name in self.corpora:
            try:
                yield open_dataset(name).select("test", CORPUS_CLIPS)
            except ValueError:
                continue


def _named(dataset: Dataset, source: Callable[[dict[str, str]], str]) -> dict[str, Path]:
    """The files of a data set by "label · source"."""
    return {
        f"{shown_label(row['label'])} · {source(row)}": dataset.folder / row["file"]
        for row in dataset.rows
    }


TASKS = (
    Task("digits", "Spoken digits", ("fsdd",), "digits-cnn", "7 · flite slt"),
    Task(
        "instruments", "Musical instruments", ("instruments", "irmas"),
        "instruments-svm", "violin · FluidR3 Violin",
    ),
)  # fmt: skip
