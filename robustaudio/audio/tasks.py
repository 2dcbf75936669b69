"""The tasks: what clips show, which data sets and classifiers belong together, where one begins."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from robustaudio.audio.datasets import BUNDLED_PREFIX, Dataset, Row, open_dataset

CORPUS_CLIPS = 44  # of a data set's test split, offered beside the bundled ones


@dataclass(frozen=True)
class TrainingData:
    """The names of the data sets that classifiers of a task are made with, and words on them.

    `recorded` has the splits train and test, `rendered` train and val. Where the recordings have
    no split "val", `training` and `validation` divide their "train" by the number that a
    recording's group ends with.
    """

    recorded: str
    rendered: str
    about: str
    about_test: str
    attribution: str
    training: range | None = None
    validation: range | None = None


@dataclass(frozen=True)
class Task:
    """What a classifier tells apart; `name` is the one that its card and the bundled clips have.

    `corpora` are data sets of real recordings, offered where they are at hand; `classifier` and
    `clip` are what the task begins with, a pair that breaks at the level the page begins with.
    """

    name: str
    shown: str
    labels: tuple[str, ...]
    corpora: tuple[str, ...]
    classifier: str
    clip: str
    data: TrainingData

    def bundled(self) -> Dataset:
        """The clips that ship with the project."""
        return open_dataset(BUNDLED_PREFIX + self.name)

    def clips(self) -> dict[str, Path]:
        """The clips to choose from, by the name shown: the bundled ones first."""
        clips = _by_name(self.bundled(), lambda row: row.speaker_or_source)
        for corpus in self._at_hand():
            clips |= _by_name(corpus, lambda row, name=corpus.name: f"{name} {Path(row.file).stem}")
        return clips

    def one_per_label(self) -> dict[str, Path]:
        """The first bundled clip of every label, by the name shown."""
        bundled = self.bundled()
        firsts = {row.label: row for row in reversed(bundled.rows)}
        rows = tuple(firsts[label] for label in sorted(firsts))
        return _by_name(replace(bundled, rows=rows), lambda row: row.speaker_or_source)

    def _at_hand(self) -> Iterator[Dataset]:
        for name in self.corpora:
            try:
                yield open_dataset(name).select("test", CORPUS_CLIPS)
            except ValueError:
                continue


def shown_label(label: str) -> str:
    """A label for people.

    >>> shown_label("acoustic_guitar")
    'acoustic guitar'
    """
    return label.replace("_", " ")


def _by_name(dataset: Dataset, source: Callable[[Row], str]) -> dict[str, Path]:
    """The files of a data set by "label · source"."""
    return {
        f"{shown_label(row.label)} · {source(row)}": dataset.folder / row.file
        for row in dataset.rows
    }


DIGITS = Task(
    name="digits",
    shown="Spoken digits",
    labels=tuple("0123456789"),
    corpora=("fsdd",),
    classifier="digits-cnn",
    clip="7 · flite slt",
    data=TrainingData(
        recorded="fsdd",
        rendered="rendered",
        about="FSDD recordings 10-44 (5-9: validation); rendered voices",
        about_test="FSDD test split (indices 0-4)",
        attribution="Trained on the Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0).",
        training=range(10, 45),
        validation=range(5, 10),
    ),
)
INSTRUMENTS = Task(
    name="instruments",
    shown="Musical instruments",
    labels=(
        "acoustic_guitar", "cello", "clarinet", "electric_guitar", "flute", "organ", "piano",
        "saxophone", "trumpet", "violin", "voice",
    ),
    corpora=("instruments", "irmas"),
    classifier="instruments-svm",
    clip="violin · FluidR3 Violin",
    data=TrainingData(
        recorded="instruments",
        rendered="rendered-instruments",
        about="recordings of single instruments, split by pitch or recording; rendered ones",
        about_test="test split of the instrument recordings",
        attribution="Trained on recordings of VSCO 2 CE, University of Iowa MIS, Freesound, "
        "Karoryfer, MTG, OLPC, Salamander, Splendid, GrandOrgue (organ pipes by Lars Palo, CC "
        "BY-SA 2.5 SE) and others (CC0, CC BY, public domain), and on FluidR3 GM (MIT).",
    ),
)  # fmt: skip
TASKS = (DIGITS, INSTRUMENTS)
