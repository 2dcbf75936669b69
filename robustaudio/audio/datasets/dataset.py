"""A data set: labelled recordings in a folder, each in a split."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from robustaudio.audio.clip import Clip

DEFAULT_SPLIT = "test"  # what the command line takes: somebody's own recordings are all used
NAMED = 20  # files that an error names
WHAT = (
    "a data set is a folder with a metadata.csv (columns file and label), "
    "or with a folder of sound files per label"
)


@dataclass(frozen=True)
class Row:
    """A recording: its file below the data set's folder, with `/`, and what is known of it.

    Recordings of one `group` lie in one split. `more` are columns that only this data set has.
    """

    file: str
    label: str
    speaker_or_source: str = ""
    group: str = ""
    split: str = DEFAULT_SPLIT
    licence: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Mapping[str, str]) -> "Row":
        """The row of a table's cells by column; what is empty has its default.

        >>> Row.of({"file": "yes/a.wav", "label": "yes", "split": "", "mood": "glad"}).group
        'a'
        """
        known = {column: cells[column] for column in COLUMNS if cells.get(column)}
        more = {column: cell for column, cell in cells.items() if column not in COLUMNS}
        return cls(**{"group": Path(cells["file"]).stem, **known}, more=more)


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Row) if f.name != "more")


@dataclass(frozen=True)
class Dataset:
    """Rows, and the folder that their files are relative to."""

    name: str
    folder: Path
    rows: tuple[Row, ...]

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.split for row in self.rows))

    def select(self, split: str, limit: int | None = None) -> "Dataset":
        """The rows of one split, in file order; `limit` takes that many, spread evenly.

        Raises:
            ValueError: if there is no such split, or the limit is not positive.
        """
        if split not in self.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}; choose from {', '.join(self.splits)}."
            )
        if limit is not None and limit < 1:
            raise ValueError(f"limit {limit} must be at least 1.")
        rows = [row for row in self.rows if row.split == split]
        if limit is not None and limit < len(rows):
            rows = [rows[i * len(rows) // limit] for i in range(limit)]
        return replace(self, rows=tuple(rows))

    def clips(self) -> Iterator[Clip]:
        """Each row's recording, labelled."""
        return map(self._clip, self.rows)

    def read(
        self,
        prepare: Callable[[Clip], Clip],
        *,
        skip_unreadable: bool = False,
        sample_rate: int | None = None,
    ) -> tuple["Dataset", list[Clip]]:
        """The rows whose recordings can be read, and each of these after `prepare`.

        The recordings come at `sample_rate` in Hz, as `Clip.load` has it.

        Raises:
            ValueError: naming all that cannot be read, unless they are skipped; if none can.
        """
        rows, clips, problems = [], [], []
        for row in self.rows:
            try:
                clips.append(prepare(self._clip(row, sample_rate)))
                rows.append(row)
            except ValueError as error:
                problems.append(_located(self.folder / row.file, str(error)))
        if problems and not (skip_unreadable and rows):
            some = "; ".join(problems[:NAMED])
            more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
            raise ValueError(
                f"{len(problems)} of {len(self)} files of {self.name} cannot be read: {some}{more}."
            )
        return replace(self, rows=tuple(rows)), clips

    def check_labels(self, known: Sequence[str], classifier: str) -> None:
        """Refuses labels that are not among the known ones of a classifier.

        Raises:
            ValueError: naming all such labels, and how many files have each.
        """
        counts = Counter(row.label for row in self.rows if row.label not in known)
        if counts:
            labels = [f"{label!r} ({n} of {len(self)} files)" for label, n in counts.items()]
            more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
            raise ValueError(
                f"{classifier} has no label {', '.join(labels[:NAMED])}{more}; "
                f"its labels are {', '.join(known)}."
            )

    def _clip(self, row: Row, sample_rate: int | None = None) -> Clip:
        clip = Clip.load(self.folder / row.file, sample_rate=sample_rate)
        return replace(clip, label=row.label)

    def __len__(self) -> int:
        return len(self.rows)


def _located(path: Path, reason: str) -> str:
    """Why a file cannot be read, with its path."""
    reason = reason.rstrip(".")
    if str(path) in reason:
        return reason
    if reason.startswith(path.name):
        return f"{path}{reason.removeprefix(path.name)}"
    return f"{path}: {reason}"
