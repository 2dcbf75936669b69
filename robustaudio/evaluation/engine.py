"""The engine: a measure on one clip or on a data set, resumable, on one process or several.

A measure is a function at the top of a module, `(classifier, batch, settings, generator, progress)`
to a result per clip. Its randomness is one source per clip, made from the seed and the clip's name:
order, size of the batches, resuming and workers change no draw. Over a data set the settings are
`Asked`, results are rows, and a file keeps them.
"""

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from jaxtyping import Float
from torch import Tensor

from robustaudio.audio.draws import Generators
from robustaudio.classifiers.classifier import Classifier
from robustaudio.columns import Column
from robustaudio.evaluation.batch import BATCH, Batch, LabelledBatch, generators
from robustaudio.evaluation.results import Entry, to_json
from robustaudio.evaluation.row_file import Columns, Positive, append_rows, columns_of, read_rows
from robustaudio.evaluation.workers import over_processes
from robustaudio.progress import Progress, part_of

Lines = list[dict]
Measured = Generator[tuple[list[int], Lines], None, None]
Spread = Callable[[list[list[int]]], Measured]
Clips = TypeVar("Clips", bound=Batch)
Settings = TypeVar("Settings")
Result = TypeVar("Result")
Over = TypeVar("Over", bound=LabelledBatch)
Levels = Annotated[tuple[float, ...], Entry(by_level=True)]  # what a row's lists are measured at
SHARES = 4  # parts of the work for every worker, so that none waits long for the last


# what is measured on every clip of a batch, with settings of its own
Measure = Callable[[Classifier, Clips, Settings, Generators, Progress | None], Sequence[Result]]


def measure_clip(
    measure: Measure[Batch, Settings, Result],
    classifier: Classifier,
    waveform: Float[Tensor, " time"],
    settings: Settings,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Result:
    """A measure on one prepared clip, which is a batch of one.

    Raises:
        ValueError: for a seed outside 0 to 2^63 - 1, and as the measure.
    """
    batch = Batch.of(waveform)
    return measure(classifier, batch, settings, generators(seed, batch), progress)[0]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is measured on one clip of a data set: numbers, labels' numbers, lists by level."""

    seconds: Positive = 0.0


def seconds_of(rows: Sequence[Row]) -> float:
    return round(sum(row.seconds for row in rows), 3)


@dataclass(frozen=True)
class Asked:
    """What is asked of a data set: a frozen dataclass whose `summary` says what its rows come to.

    `row` is the rows' dataclass; `chunk` clips are measured at a time; without `seeded` nothing is
    drawn.
    """

    row: ClassVar[type]
    chunk: ClassVar[int] = BATCH
    seeded: ClassVar[bool] = True

    def summary(self, rows: Sequence[Any]) -> Any:
        """The rows' summary, a frozen dataclass."""
        raise NotImplementedError

    @property
    def record(self) -> dict[str, Any]:
        """The entries of summary and file that say what was asked."""
        return to_json(self)

    @property
    def header(self) -> dict[str, Any]:
        """Further entries of the file's first line: the fields of `Levels`."""
        return {f.name: [*getattr(self, f.name)] for f in fields(self) if f.type == Levels}

    def columns(self, classifier: Classifier) -> dict[str, Column]:
        """What each row of a file must hold."""
        lists = [value for value in self.header.values() if isinstance(value, list)]
        length = max(map(len, lists), default=0)
        return columns_of(self.row, len(classifier.labels), length)

    def about(self, classifier: Classifier, batch: LabelledBatch, seed: int) -> dict[str, Any]:
        """The entries of a record that say of what it is one."""
        drawn = {"seed": seed} if self.seeded else {}
        return {"classifier": classifier.name, **batch.header, **self.record, **drawn}


def measured(
    measure: Measure[Over, Any, Any],
    classifier: Classifier,
    settings: Asked,
    seed: int,
    batch: Over,
    progress: Progress | None = None,
) -> Lines:
    """The records of the rows of some clips, each with its share of the time."""
    started = time.monotonic()
    rows = measure(classifier, batch, settings, generators(seed, batch), progress)
    seconds = round((time.monotonic() - started) / len(batch), 4)
    return [to_json(replace(row, seconds=seconds)) for row in rows]


def run(
    measure: Measure[Over, Any, Result],
    classifier: Classifier,
    batch: Over,
    settings: Asked,
    *,
    seed: int = 0,
    rows: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Result]:
    """A measure on every clip of a data set, in their order.

    With `rows` a file keeps what is measured as it comes: a killed run, begun again, loses the
    clips in flight. With several `workers` as many processes share the clips and the threads.

    Raises:
        ValueError: if the file holds another run, or cannot be read or written.
    """
    job, chunk = partial(measured, measure, classifier, settings, seed), settings.chunk

    def here(numbers: list[int]) -> Lines:
        return job(batch[numbers], part_of(progress, numbers[0], len(batch), len(numbers)))

    def elsewhere(parts: list[list[int]]) -> Measured:
        return over_processes(job, batch, parts, workers)

    if workers > 1:
        chunk = max(1, min(chunk, len(batch) // (SHARES * workers)))
    asked = settings.about(classifier, batch, seed) | settings.header
    lines = resumable(
        here,
        batch.names,
        chunk=chunk,
        path=rows,
        header=asked | {"sha256": classifier.sha256},
        columns=settings.columns(classifier),
        progress=progress,
        spread=elsewhere if workers > 1 else None,
    )
    return [settings.row(**line) for line in lines]


def run_kept(
    folder: Path,
    measure: Measure[Over, Any, Result],
    classifier: Classifier,
    batch: Over,
    settings: Asked,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Result]:
    """A run whose rows lie in a folder, by the checkpoint, what is asked, and the clips."""
    asked = settings.about(classifier, batch, seed) | settings.header
    digest = sha256(json.dumps({"names": batch.names, **asked}).encode()).hexdigest()[:16]
    path = folder / classifier.sha256[:16] / f"{type(settings).__name__}-{digest}.jsonl"
    return run(measure, classifier, batch, settings, seed=seed, rows=path, progress=progress)


def resumable(
    job: Callable[[list[int]], Lines],
    names: Sequence[str],
    *,
    chunk: int,
    path: Path | None = None,
    header: dict,
    columns: Columns | None = None,
    progress: Progress | None = None,
    spread: Spread | None = None,
) -> Lines:
    """`job` on the numbers of all clips, `chunk` at a time; a line per clip, in their order.

    With a path, lines are appended as they come, and those that stand there already are not made
    again. `header` says what was run, and stands first; `columns` say what each line must hold;
    `spread` does the parts elsewhere than here and in turn.

    Raises:
        ValueError: if the file holds another run, or cannot be read or written.
    """
    lines = read_rows(path, header, names, columns or {}) if path else {}
    missing = [n for n, name in enumerate(names) if name not in lines]
    parts = [missing[start : start + chunk] for start in range(0, len(missing), chunk)]
    done = len(names) - len(missing)
    if progress and parts:
        progress(done / len(names))
    with closing(spread(parts) if spread else ((part, job(part)) for part in parts)) as measured:
        for numbers, new in measured:
            fresh = dict(zip((names[n] for n in numbers), new, strict=True))
            if path:
                append_rows(path, [{"clip": name, **line} for name, line in fresh.items()])
            lines |= fresh
            done += len(numbers)
            if progress and done < len(names):
                progress(done / len(names))
    return [lines[name] for name in names]
