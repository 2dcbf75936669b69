"""A folder with a metadata.csv: one line per recording, as programs and spreadsheets write it."""

import csv
import io
import re
from pathlib import Path, PureWindowsPath

from robustaudio.audio.datasets.dataset import COLUMNS, Dataset, Row
from robustaudio.outside import read_bytes

NEEDED = COLUMNS[:2]  # the others have defaults
SEPARATORS = (",", ";", "\t")  # of columns; where a decimal comma is usual, spreadsheets write ;
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # before the header, by Excel
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
LONGEST_TABLE, MOST_LINES = 64_000_000, 1_000_000  # bytes of a metadata.csv, and its lines
SHOWN = 200  # characters of a table that an error shows


def holds_table(folder: Path) -> bool:
    """Whether a folder holds such a table."""
    return (folder / "metadata.csv").is_file()


def read_folder(folder: Path, name: str) -> Dataset:
    """A folder with a metadata.csv, as programs and spreadsheets write it.

    Columns are separated by commas, semicolons or tabs; `file` and `label` are needed, the others
    of COLUMNS have defaults. Files lie below the folder; `\\` separates folders as `/` does.

    Raises:
        ValueError: if the table cannot be read, lacks a column, or names a file outside the folder.
    """
    path = folder / "metadata.csv"
    lines = _table(path)
    columns = [column.strip().lower() for column in lines[0][1]] if lines else []
    while columns and not columns[-1]:
        columns.pop()
    if missing := [column for column in NEEDED if column not in columns]:
        raise ValueError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            "columns are separated by commas, semicolons or tabs, and named in the first line"
            + (f", which reads: {', '.join(columns)[:SHOWN]}." if columns else ".")
        )
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path} has two columns of one name: {', '.join(columns)}.")
    rows = []
    for number, cells in lines[1:]:
        cells = [cell.strip() for cell in cells]
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            raise ValueError(f"{path} has {len(columns)} columns, but not in line {number}.")
        row = dict(zip(columns, cells, strict=False))
        if empty := [column for column in NEEDED if not row[column]]:
            raise ValueError(f"{path} has no {empty[0]} in line {number}.")
        rows.append(Row.of(row | {"file": _inside(folder, row["file"], path)}))
    if not rows:
        raise ValueError(f"{path} names no file.")
    return Dataset(name, folder, tuple(rows))


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of a table that are not blank, with their numbers; UTF-8, or UTF-16 with a mark."""
    try:
        content = read_bytes(path, LONGEST_TABLE)
    except ValueError as error:
        raise ValueError(f"cannot read {path}: {str(error).removeprefix(f'{path} ')}") from error
    encoding = next((MARKS[mark] for mark in MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"cannot read {path}: byte {error.start + 1} is not {encoding.upper()}; "
            "save the table as UTF-8 (in a spreadsheet: CSV UTF-8)."
        ) from error
    if (lines := text.count("\n") + text.count("\r")) > MOST_LINES:
        raise ValueError(f"cannot read {path}: it has {lines} lines; {MOST_LINES} are the most.")
    header = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(SEPARATORS, key=lambda some: len({*NEEDED} & _cells(header, some)))
    if match := SEPARATOR_LINE.fullmatch(header.strip()):
        separator, text = match[1], text.replace(header, "", 1)
    if "\0" in header:
        raise ValueError(f"cannot read {path}: it is no text in UTF-8; save it as CSV UTF-8.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"cannot read {path}, line {reader.line_num}: {error}.") from error
    return [(number, cells) for number, cells in lines if any(cell.strip() for cell in cells)]


def _cells(header: str, separator: str) -> set[str]:
    return {cell.strip().lower() for cell in header.replace('"', "").split(separator)}


def _inside(folder: Path, file: str, table: Path) -> str:
    """A file of a table, which may name all of its path, as a path below its folder, with `/`."""
    root, windows = folder.resolve(), PureWindowsPath(file)
    if "\\" in file and ("\0" in file or not (root / file).is_file()):
        file = file.replace("\\", "/")
    if "\0" not in file and Path(file).is_absolute() and Path(file).is_relative_to(root):
        file = Path(file).relative_to(root).as_posix()
        windows = PureWindowsPath(file)
    outside = "\0" in file or windows.drive or windows.root
    if outside or not (root / file).resolve().is_relative_to(root):
        raise ValueError(f"{table} names a file outside its folder: {file!r}.")
    return file


def write_metadata(dataset: Dataset) -> None:
    """Writes the metadata.csv of a data set into its folder."""
    with (dataset.folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(map(vars, dataset.rows))
