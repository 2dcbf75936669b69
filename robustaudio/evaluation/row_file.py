"""The file of a run: one JSON line that says what is run, then one per clip."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from robustaudio.columns import FLAG, Column, check_row, list_of, needed, number, text, whole
from robustaudio.outside import read_text, shown

Columns = Mapping[str, Column]
Label = Annotated[int, "the number of a label"]
Positive = Annotated[float, number(0, 1e9)]
LATER = ("seconds",)  # columns that files of earlier versions may lack
CELLS = {bool: FLAG, int: whole(0, 10**12), float: number(-1e9, 1e9), str: text(10_000),
         list: Column("a list", lambda value: isinstance(value, list))}  # fmt: skip
LONGEST_FILE = 200_000_000  # bytes: a line has some 500, or 100 per level


def columns_of(row: type, labels: int, length: int) -> dict[str, Column]:
    """What the fields of a row's dataclass may hold, by their types; `list[...]` has a length."""

    def column(kind: Any) -> Column:
        parts = get_args(kind)
        if NoneType in parts:
            return replace(column(parts[0]), optional=True)
        if get_origin(kind) is list:
            return needed(list_of(length, column(parts[0])))
        if kind == Label:
            return needed(whole(0, labels - 1))
        return needed(parts[1] if parts else CELLS[kind])

    return {declared.name: column(declared.type) for declared in fields(row)}


def read_rows(path: Path, header: dict, names: Sequence[str], columns: Columns) -> dict[str, dict]:
    """The rows of a file that was begun with the same header; a torn last line is cut off."""
    no_run = f"{path} is not the file of a run: JSON, a line per clip."
    try:
        text = read_text(path, LONGEST_FILE) if path.exists() else ""
    except ValueError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        raise ValueError(no_run) from error
    first = json.dumps(header) + "\n"
    if first.startswith(text):  # killed before the header was whole
        _write(path, first)
        return {}
    whole = text[: text.rfind("\n") + 1]
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        rows = {row.pop("clip"): row for row in lines[1:]}
        other = not lines or lines[0] != json.loads(first) or not rows.keys() <= set(names)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(no_run) from error
    if other:
        raise ValueError(f"{path} holds another run; choose a new file, or the same options.")
    for line, (name, row) in enumerate(rows.items(), 2):
        where = f"{path}, line {line} ({shown(name)})"
        if missing := [name for name in columns if name not in row and name not in LATER]:
            raise ValueError(f"{where} lacks {', '.join(missing)}; choose a new file.")
        check_row(row, columns, where)
    if whole != text:
        _write(path, whole)
    return rows


def append_rows(path: Path, lines: list[dict]) -> None:
    """Append a JSON line per row."""
    _write(path, "".join(json.dumps(line) + "\n" for line in lines), "a")


def _write(path: Path, text: str, mode: str = "w") -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
    except ValueError as error:  # a NUL
        raise ValueError(f"{str(path)!r} is not the name of a file.") from error
