"""The file of a run: one JSON line that says what is run, then one per clip."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustaudio.columns import Column, check_row
from robustaudio.outside import read_text, shown

Columns = Mapping[str, Column]
LONGEST_FILE = 200_000_000  # bytes: a line has some 500, or 100 per level


def read_rows(path: Path, header: dict, names: Sequence[str], columns: Columns) -> dict[str, dict]:
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


def append_rows(path: Path, lines: list[dict]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
