"""A data set by its name, in whichever layout it has."""

import os
from pathlib import Path

from robustaudio.audio.datasets.bundled import BUNDLED_PREFIX, read_bundled
from robustaudio.audio.datasets.dataset import WHAT, Dataset
from robustaudio.audio.datasets.fsdd import FSDD_ADVICE, holds_fsdd, read_official_fsdd
from robustaudio.audio.datasets.irmas import IRMAS_ADVICE, holds_irmas, read_official_irmas
from robustaudio.audio.datasets.labelled_folder import read_labelled_folders
from robustaudio.audio.datasets.metadata_csv import holds_table, read_folder
from robustaudio.paths import ASSETS, HOME, cache_folder, data_folders

LAYOUTS = (  # whether a folder has it, and what reads it
    (holds_table, read_folder),
    (holds_fsdd, read_official_fsdd),
    (holds_irmas, read_official_irmas),
)


def open_dataset(name: str) -> Dataset:
    """The data set `name`: "bundled-<task>", a folder of ROBUSTAUDIO_DATA or of the user's cache,
    or the path of a folder.

    Raises:
        ValueError: if it is not at hand; the sentence names the command that gets it, if any.
    """
    if name.startswith(BUNDLED_PREFIX):
        return read_bundled(name)
    path, here = Path(name), name.startswith((f".{os.sep}", "./"))
    if path.parts and not here and not path.is_absolute() and ".." not in path.parts:
        for folder in (root / name for root in data_folders()):
            if os.path.isdir(folder):
                return read_any(folder, name)
    if os.path.isdir(path):
        return read_any(path, path.resolve().name)
    if os.path.isfile(path):
        raise ValueError(f"{name} is a file; {WHAT}.")
    looked, advice = " and ".join(str(root) for root in data_folders()), how_to_get(name)
    raise ValueError(
        f"no data set {name!r} in {looked}; set ROBUSTAUDIO_DATA to the folder that holds it, "
        + (f"or {advice}" if advice else f"or give the folder's path: {WHAT}.")
    )


def read_any(folder: Path, name: str) -> Dataset:
    """A folder in whichever layout it has: a table, a known release, or a folder per label.

    Raises:
        ValueError: if it has none, or cannot be trusted.
    """
    try:
        for holds, read in LAYOUTS:
            if holds(folder):
                return read(folder, name)
        return read_labelled_folders(folder, name)
    except OSError as error:
        raise ValueError(f"the data set {folder} cannot be read: {error.strerror}.") from error


def how_to_get(name: str) -> str:
    """What brings a data set into the user's cache; empty if nothing does."""
    scripts = ASSETS.relative_to(HOME) if ASSETS.is_relative_to(HOME) else ASSETS
    advice = {
        "fsdd": FSDD_ADVICE,
        "irmas": IRMAS_ADVICE,
        "rendered": f"run: python {scripts / 'render_digits.py'} --training {{}}",
        "rendered-instruments": f"run: python {scripts / 'render_instruments.py'} --training {{}}",
    }
    return advice.get(name, "").format(cache_folder() / name)
