"""A name or a folder in, labelled recordings out: one module for every layout that is read."""

from robustaudio.audio.datasets.bundled import BUNDLED, BUNDLED_PREFIX
from robustaudio.audio.datasets.dataset import COLUMNS, NAMED, Dataset, Row
from robustaudio.audio.datasets.fsdd import download, read_official_fsdd
from robustaudio.audio.datasets.irmas import read_official_irmas
from robustaudio.audio.datasets.labelled_folder import read_labelled_folders
from robustaudio.audio.datasets.metadata_csv import read_folder
from robustaudio.audio.datasets.open import open_dataset
from robustaudio.paths import cache_folder, data_folders

__all__ = [
    "BUNDLED", "BUNDLED_PREFIX", "COLUMNS", "NAMED", "Dataset", "Row", "cache_folder",
    "data_folders", "download", "open_dataset", "read_folder", "read_labelled_folders",
    "read_official_fsdd", "read_official_irmas",
]  # fmt: skip
