"""A folder of sound files per label, or such folders below train, val and test."""

from pathlib import Path

from robustaudio.audio.datasets.dataset import WHAT, Dataset, Row
from robustaudio.audio.sound_file import EXTENSIONS

SPLITS = {  # names of folders that are splits
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
SYSTEM_FOLDERS = ("__MACOSX",)  # beside what is hidden by a dot: no part of a data set


def read_labelled_folders(folder: Path, name: str) -> Dataset:
    """A folder of sound files per label, or such folders below train, val and test.

    Without splits, all is "test". What is hidden and what is no sound file is passed over.

    Raises:
        ValueError: if it holds no sound in a folder, or sounds beside its folders.
    """
    inner = _folders(folder)
    if loose := _sounds(folder, "*"):
        raise ValueError(
            f"{folder} holds {len(loose)} sound files that lie in no label's folder, "
            f"{loose[0].name} the first; {WHAT}."
        )
    splits = [path for path in inner if path.name.lower() in SPLITS and _folders(path)]
    splits = [path for path in splits if not _sounds(path, "*")]
    if splits and (others := [path.name for path in inner if path not in splits]):
        raise ValueError(
            f"{folder} holds splits ({splits[0].name}) beside other folders ({others[0]}); "
            "labels lie all below splits, or there are none."
        )
    rows = [
        Row.of({"file": path.relative_to(folder).as_posix(), "label": label.name, "split": split})
        for root, split in [(s, SPLITS[s.name.lower()]) for s in splits] or [(folder, "")]
        for label in _folders(root)
        for path in _sounds(label, "**/*")
    ]
    if not rows:
        raise ValueError(f"{folder} is no data set: {WHAT}. Sounds are {', '.join(EXTENSIONS)}.")
    return Dataset(name, folder, tuple(rows))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, without those that are hidden or a system's."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and _shown(path, folder)]


def _sounds(folder: Path, pattern: str) -> list[Path]:
    return [
        path
        for path in sorted(folder.glob(pattern))
        if path.suffix.lower() in EXTENSIONS and _shown(path, folder) and path.is_file()
    ]


def _shown(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).parts
    return not any(part.startswith(".") or part in SYSTEM_FOLDERS for part in parts)
