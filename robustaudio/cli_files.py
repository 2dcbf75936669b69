"""The files that a command reads and writes, checked before anything is computed."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

WRITTEN = ("output", "report", "resume")  # options that name a file to write


def check_files(arguments: argparse.Namespace) -> None:
    """Refuses files that cannot be read or written, and makes the folders that are missing.

    Raises:
        ValueError: for the first such file, or a file to write that is read as well.
    """
    given = vars(arguments)
    if "clip" in given:
        if bool(arguments.clip) == bool(arguments.dataset):
            raise ValueError("name either a sound file or --dataset NAME.")
        if arguments.clip:
            _check_readable(arguments.clip)
    if given.get("heard") and not Path(given["heard"]).is_file():
        raise ValueError(f"--heard: there is no file {given['heard']}.")
    if isinstance(study := given.get("study"), Path) and not study.is_file():
        what = "is a folder; name a study in it" if study.is_dir() else "is not there"
        raise ValueError(f"the study {study} {what}.")
    written = {f"--{name}": given[name] for name in WRITTEN if given.get(name)}
    for flag, path in written.items():
        if flag == "--output" and given.get("output_is_folder"):
            _make_folder(flag, path)
            continue
        for what, other in _read(given):
            if _same(path, other):
                raise ValueError(
                    f"{flag} {path} is the {what} itself, which is never overwritten; "
                    "choose another name."
                )
        for other_flag, other in written.items():
            if other_flag != flag and _same(path, other):
                raise ValueError(f"{flag} and {other_flag} name the same file, {path}.")
        if flag == "--output" and "subtype" in given and path.suffix.lower() != ".wav":
            raise ValueError(
                f"--output {path} must end in .wav: the perturbed clip is written as WAV."
            )
        _check_writable(flag, path)


def _read(given: dict) -> Iterator[tuple[str, Path]]:
    """What a command reads: clip, answers of listeners, checkpoint and card, table of clips."""
    if given.get("clip"):
        yield "clip", Path(given["clip"])
    if given.get("heard"):
        yield "file of --heard", Path(given["heard"])
    if (classifier := Path(given.get("classifier") or "")).suffix == ".safetensors":
        yield "classifier", classifier
        yield "classifier's card", classifier.with_suffix(".json")
    if given.get("dataset"):
        yield "data set's table", Path(given["dataset"]) / "metadata.csv"


def _check_readable(name: str) -> None:
    path = Path(name)
    if "\0" in name or not path.exists():
        raise ValueError(f"there is no file {name}.")
    if path.is_dir():
        raise ValueError(f"{name} is a folder; name a sound file, or the folder by --dataset.")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{name} may not be read.")


def _check_writable(flag: str, path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"{flag} {path} is a folder; name a file in it.")
    _make_folder(flag, path.parent)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"cannot write {path}: permission denied.")


def _make_folder(flag: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"{flag}: the folder {folder} cannot be made: {error}.") from error


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, also through links and other spellings."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there yet
        return one.resolve() == other.resolve()
