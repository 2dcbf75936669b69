"""The files that a command reads and writes, checked before anything is computed."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from robustaudio.doors import reason

SQLITE = "sqlite:///"
TABLES = ("rows.csv", "rows.json", "analysis.json")  # of `listen analyse --output`


def check_apart(written: Mapping[str, Path], read: Sequence[tuple[str, Path]]) -> None:
    """Refuses to write what is read, or one file twice.

    `written` is by flag, and `read` is with what each file is.

    Raises:
        ValueError: for the first such file.
    """
    for flag, path in written.items():
        if "\0" in str(path):
            raise ValueError(f"{flag} {str(path)!r} is not the name of a file.")
        for what, other in read:
            if _same(path, other):
                raise ValueError(
                    f"{flag} {path} is the {what} itself, which is never overwritten; "
                    "choose another name."
                )
        for other_flag, other in written.items():
            if other_flag != flag and (_same(path, other) or _alike(path, other)):
                raise ValueError(f"{flag} and {other_flag} name the same file, {path}.")


def check_study(name: str, path: Path) -> None:
    """Refuses a study that is not a file.

    Raises:
        ValueError: naming it.
    """
    if not path.is_file():
        what = "is a folder; name a study in it" if path.is_dir() else "is not there"
        raise ValueError(f"the {name} {path} {what}.")


def check_readable(name: str) -> None:
    """Refuses a sound file that is not there or may not be read.

    Raises:
        ValueError: naming it.
    """
    path = Path(name)
    if "\0" in name or not path.exists():
        raise ValueError(f"there is no file {name}.")
    if path.is_dir():
        raise ValueError(f"{name} is a folder; name a sound file, or the folder by --dataset.")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{name} may not be read.")


def check_writable(flag: str, path: Path) -> None:
    """Refuses what cannot be written, the file behind a link included; makes its folder.

    Raises:
        ValueError: naming the flag or the file.
    """
    try:
        target = path.resolve()
        kind = target.stat().st_mode if target.exists() else None
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, too long a name
        raise ValueError(f"{flag} {path} cannot be followed to a file.") from error
    if kind is not None and stat.S_ISDIR(kind):
        raise ValueError(f"{flag} {path} is a folder; name a file in it.")
    if kind is not None and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        raise ValueError(f"{flag} {path} is not a file.")
    _make_folder(flag, target.parent if path.is_symlink() else path.parent)
    if not os.access(target if kind is not None else target.parent, os.W_OK):
        raise ValueError(f"cannot write {path}: permission denied.")


def check_folder(flag: str, folder: Path, store: str | None = None) -> None:
    """Makes a folder to write into, which is not where the answers of a store lie.

    Raises:
        ValueError: if it is, or cannot be made or written to.
    """
    if store:
        kept = Path(store.removeprefix(SQLITE)) if store.startswith(SQLITE) else Path(store)
        if _same(folder, kept) or (kept.is_dir() and _is_study(folder.resolve(), kept.resolve())):
            raise ValueError(f"{flag} {folder} holds answers already; choose another folder.")
        if kept.is_file() and _same(kept.parent, folder) and kept.name in TABLES:
            raise ValueError(f"{flag} {folder} would overwrite the store, {kept.name}.")
    _make_folder(flag, folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{flag}: the folder {folder} may not be written to.")
    if store:
        for name in TABLES:
            check_writable(flag, folder / name)


def _is_study(folder: Path, store: Path) -> bool:
    """Whether a folder is where a store of folders keeps a study, or one inside."""
    studies = [path.parent for path in store.glob("*/*.jsonl")]
    return any(folder.is_relative_to(study) for study in studies)


def _make_folder(flag: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"{flag}: the folder {folder} cannot be made: {reason(error)}.") from error


def _same(path: Path, other: Path) -> bool:
    """Whether two paths are one file, also through links and other spellings."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them is not there yet
        pass
    try:
        return path.resolve() == other.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links: refused when it is opened
        return path.absolute() == other.absolute()


def _alike(path: Path, other: Path) -> bool:
    """Whether some file systems hold two names for one: by case, by how accents are written."""
    return normalize("NFC", str(path)).casefold() == normalize("NFC", str(other)).casefold()
