"""The clips that ship with the project, by task."""

from dataclasses import replace

from robustaudio.audio.datasets.dataset import Dataset
from robustaudio.audio.datasets.metadata_csv import read_folder
from robustaudio.paths import ASSETS

BUNDLED = ASSETS / "clips"
BUNDLED_PREFIX = "bundled-"  # and the task


def read_bundled(name: str) -> Dataset:
    """The clips of one task in assets/clips."""
    every = read_folder(BUNDLED, name)
    rows = tuple(row for row in every.rows if BUNDLED_PREFIX + row.more["task"] == name)
    if not rows:
        names = ", ".join(dict.fromkeys(BUNDLED_PREFIX + row.more["task"] for row in every.rows))
        raise ValueError(f"no bundled clips {name!r}; choose from {names}.")
    return replace(every, rows=rows)
