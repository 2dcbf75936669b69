"""Long runs over a data set, that can be killed and go on: one JSON line per clip."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from robustaudio.columns import Column, check_row
from robustaudio.outside import read_text, shown
from robustaudio.progress import Progress

Rows = list[dict]
Columns = Mapping[str, Column]
Made = TypeVar("Made")
LONGEST_FILE = 200_000_000  # bytes: a line has some 500, or 100 per level


def resumable(
    job: Callable[[list[int]], Rows],
    names: Sequence[str],
    *,
    chunk: int,
    path: Path | None = None,
    header: dict,
    columns: Columns | None = None,
    progress: Progress | None = None,
) -> Rows:
    """`job` on the numbers of all clips, `chunk` at a time; a row per clip, in their order.

    With a path, rows are appended as they come, and those that stand there already are not made
    again: a killed run loses the clips in flight. `header` says what was run, and stands first;
    `columns` say what each row of the file must hold.

    Raises:
        ValueError: if the file holds another run, or cannot be read or written.
    """
    rows = _read(path, header, names, columns or {}) if path else {}
    missing = [n for n, name in enumerate(names) if name not in rows]
    for start in range(0, len(missing), chunk):
        if progress:
            progress(1 - (len(missing) - start) / len(names))
        numbers = missing[start : start + chunk]
        new = dict(zip((names[n] for n in numbers), job(numbers), strict=True))
        if path:
            _append(path, [{"clip": name, **row} for name, row in new.items()])
        rows |= new
    return [rows[name] for name in names]


def kept(path: Path, make: Callable[[], Made]) -> Made:
    """What `make` made, now or before: a JSON file keeps it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def _read(path: Path, header: dict, names: Sequence[str], columns: Columns) -> dict[str, dict]:
    """The rows of a file that was begun with the same header; a torn last line is cut off."""
    try:
        text = read_text(path, LONGEST_FILE) if path.exists() else ""
    except ValueError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        raise ValueError(f"{path} is not the file of a run: JSON, a line per clip.") from error
    first = json.dumps(header) + "\n"
    if first.startswith(text):  # killed before the header was whole
        _write(path, first)
        return {}
    whole = text[: text.rfind("\n") + 1]
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        rows = {line.pop("clip"): line for line in lines[1:]}
        other = not lines or lines[0] != json.loads(first) or not rows.keys() <= set(names)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not the file of a run: JSON, a line per clip.") from error
    if other:
        raise ValueError(f"{path} holds another run; choose a new file, or the same options.")
    for number, (name, row) in enumerate(rows.items(), 2):
        where = f"{path}, line {number} ({shown(name)})"
        if missing := [column for column in columns if column not in row]:
            raise ValueError(f"{where} lacks {', '.join(missing)}; choose a new file.")
        check_row(row, columns, where)
    if whole != text:
        _write(path, whole)
    return rows


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
    except ValueError as error:  # a NUL
        raise ValueError(f"{str(path)!r} is not the name of a file.") from error


def _append(path: Path, lines: list[dict]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
