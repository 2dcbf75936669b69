"""Data sets: folders with a metadata.csv, folders of a known release, or a folder per label."""

import csv
import io
import os
import re
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path, PureWindowsPath
from zlib import crc32

from robustaudio.audio.clip import Clip
from robustaudio.audio.sound_file import EXTENSIONS
from robustaudio.doors import reason
from robustaudio.outside import read_bytes
from robustaudio.paths import ASSETS, HOME, home

BUNDLED = ASSETS / "clips"
BUNDLED_PREFIX = "bundled-"  # and the task
FSDD_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
FSDD_FILE = re.compile(r"([0-9])_([A-Za-z]+)_([0-9]+)\.wav")  # digit, speaker, index
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
FSDD_LICENCE = "CC-BY-SA-4.0"
FSDD_TEST_INDICES = range(5)  # "the first 10 %" of the data set's own rule: indices 0 to 4
IRMAS_URL = "https://doi.org/10.5281/zenodo.1290750"
IRMAS_FOLDER = "IRMAS-TrainingData"
# 008__[flu][nod][cla]0393__1.wav: instrument, drums (not in all), genre, recording, excerpt
IRMAS_FILE = re.compile(r"(?:[0-9]+__)?\[([a-z]{3})\](?:\[[^]]*\])+([0-9]+)__[0-9]+\.wav")
IRMAS_LICENCE = "CC-BY-NC-SA-3.0"
IRMAS_LABELS = {
    "cel": "cello", "cla": "clarinet", "flu": "flute", "gac": "acoustic_guitar",
    "gel": "electric_guitar", "org": "organ", "pia": "piano", "sax": "saxophone",
    "tru": "trumpet", "vio": "violin", "voi": "voice",
}  # fmt: skip
COLUMNS: tuple[str, ...] = ("file", "label", "speaker_or_source", "group", "split", "licence")
NEEDED = COLUMNS[:2]  # the others have defaults
SEPARATORS = (",", ";", "\t")  # of columns; where a decimal comma is usual, spreadsheets write ;
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # before the header, by Excel
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
SPLITS = {  # names of folders that are splits
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test",
}  # fmt: skip
DEFAULT_SPLIT = "test"  # what the command line takes: somebody's own recordings are all used
SYSTEM_FOLDERS = ("__MACOSX",)  # beside what is hidden by a dot: no part of a data set
LONGEST_TABLE, MOST_LINES = 64_000_000, 1_000_000  # bytes of a metadata.csv, and its lines
NAMED = 20  # files that an error names
SHOWN = 200  # characters of a table that an error shows
WHAT = (
    "a data set is a folder with a metadata.csv (columns file and label), "
    "or with a folder of sound files per label"
)


@dataclass(frozen=True)
class Dataset:
    """Rows of a metadata.csv and the folder that their files are relative to."""

    name: str
    folder: Path
    rows: tuple[dict[str, str], ...]

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row["split"] for row in self.rows))

    def select(self, split: str, limit: int | None = None) -> "Dataset":
        """The rows of one split, in file order; `limit` takes that many, spread evenly.

        Raises:
            ValueError: if there is no such split, or the limit is not positive.
        """
        if split not in self.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}; choose from {', '.join(self.splits)}."
            )
        if limit is not None and limit < 1:
            raise ValueError(f"limit {limit} must be at least 1.")
        rows = [row for row in self.rows if row["split"] == split]
        if limit is not None and limit < len(rows):
            rows = [rows[i * len(rows) // limit] for i in range(limit)]
        return replace(self, rows=tuple(rows))

    def clips(self) -> Iterator[Clip]:
        """Each row's recording, labelled."""
        for row in self.rows:
            yield self._clip(row)

    def read(
        self,
        prepare: Callable[[Clip], Clip],
        *,
        skip_unreadable: bool = False,
        sample_rate: int | None = None,
    ) -> tuple["Dataset", list[Clip]]:
        """The rows whose recordings can be read, and each of these after `prepare`.

        The recordings come at `sample_rate` in Hz, as `Clip.load` has it.

        Raises:
            ValueError: naming all that cannot be read, unless they are skipped; if none can.
        """
        rows, clips, problems = [], [], []
        for row in self.rows:
            try:
                clips.append(prepare(self._clip(row, sample_rate)))
                rows.append(row)
            except ValueError as error:
                problems.append(_located(self.folder / row["file"], str(error)))
        if problems and not (skip_unreadable and rows):
            some = "; ".join(problems[:NAMED])
            more = f"; and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
            raise ValueError(
                f"{len(problems)} of {len(self)} files of {self.name} cannot be read: {some}{more}."
            )
        return replace(self, rows=tuple(rows)), clips

    def check_labels(self, known: Sequence[str], of: str) -> None:
        """Refuses labels that are not among the known ones of a classifier.

        Raises:
            ValueError: naming all such labels, and how many files have each.
        """
        counts = Counter(row["label"] for row in self.rows if row["label"] not in known)
        if counts:
            labels = [f"{label!r} ({n} of {len(self)} files)" for label, n in counts.items()]
            more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
            raise ValueError(
                f"{of} has no label {', '.join(labels[:NAMED])}{more}; "
                f"its labels are {', '.join(known)}."
            )

    def _clip(self, row: dict[str, str], sample_rate: int | None = None) -> Clip:
        clip = Clip.load(self.folder / row["file"], sample_rate=sample_rate)
        return replace(clip, label=row["label"])

    def __len__(self) -> int:
        return len(self.rows)


def open_dataset(name: str) -> Dataset:
    """The data set `name`: "bundled-<task>", a folder of ROBUSTAUDIO_DATA or of the user's cache,
    or the path of a folder.

    Raises:
        ValueError: if it is not at hand; the sentence names the command that gets it, if any.
    """
    if name.startswith(BUNDLED_PREFIX):
        return _read_bundled(name)
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
        if (folder / "metadata.csv").is_file():
            return read_folder(folder, name)
        if any(FSDD_FILE.fullmatch(path.name) for path in (folder / "recordings").glob("*.wav")):
            return read_official_fsdd(folder, name)
        if (folder / IRMAS_FOLDER).is_dir():
            return read_official_irmas(folder, name)
        return read_labelled_folders(folder, name)
    except OSError as error:
        raise ValueError(f"the data set {folder} cannot be read: {error.strerror}.") from error


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
        _row(path.relative_to(folder).as_posix(), label.name, split)
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


def _row(file: str, label: str, split: str = "", **others: str) -> dict[str, str]:
    """A row of a data set; what is not given has its default."""
    defaults = {"speaker_or_source": "", "group": Path(file).stem, "split": DEFAULT_SPLIT}
    given = {"file": file, "label": label, "split": split, **others}
    known = {column: given.pop(column, "") or defaults.get(column, "") for column in COLUMNS}
    return known | given


def _located(path: Path, reason: str) -> str:
    """Why a file cannot be read, with its path."""
    reason = reason.rstrip(".")
    if str(path) in reason:
        return reason
    return (
        f"{path}{reason.removeprefix(path.name)}"
        if reason.startswith(path.name)
        else (f"{path}: {reason}")
    )


def how_to_get(name: str) -> str | None:
    """What brings a data set into the user's cache (None: nothing does)."""
    folder = cache_folder() / name

    def script(file: str) -> str:
        path = ASSETS / file
        shown = path.relative_to(HOME) if path.is_relative_to(HOME) else path
        return f"python {shown} --training {folder}"

    return {
        "fsdd": "run: python -m robustaudio download fsdd",
        "rendered": f"run: {script('render_digits.py')}",
        "rendered-instruments": f"run: {script('render_instruments.py')}",
        "irmas": f"unpack {IRMAS_FOLDER}.zip, which {IRMAS_URL} offers, into {folder}",
    }.get(name)


def data_folders() -> list[Path]:
    """Where data sets are looked for: ROBUSTAUDIO_DATA, then the user's cache."""
    named = os.environ.get("ROBUSTAUDIO_DATA")
    return ([Path(named)] if named else []) + [cache_folder()]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "robustaudio"


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
        rows.append(_row(**row | {"file": _inside(folder, row["file"], path)}))
    if not rows:
        raise ValueError(f"{path} names no file.")
    return Dataset(name, folder, tuple(rows))


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of a table that are not blank, with their numbers.

    Raises:
        ValueError: if the file cannot be read, or is not text in UTF-8 (or UTF-16 with a mark).
    """
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
    separator = max(SEPARATORS, key=lambda some: len(_needed_in(header, some)))
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


def _needed_in(header: str, separator: str) -> set[str]:
    """The columns that are needed, as far as a header has them with a separator."""
    cells = header.replace('"', "").split(separator)
    return {cell.strip().lower() for cell in cells} & set(NEEDED)


def _inside(folder: Path, file: str, table: Path) -> str:
    """A file of a table, which may name all of its path, as a path below its folder, with `/`.

    Raises:
        ValueError: if it lies outside.
    """
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


def _read_bundled(name: str) -> Dataset:
    """The clips of one task in assets/clips."""
    every = read_folder(BUNDLED, name)
    rows = tuple(row for row in every.rows if BUNDLED_PREFIX + row["task"] == name)
    if not rows:
        names = ", ".join(dict.fromkeys(BUNDLED_PREFIX + row["task"] for row in every.rows))
        raise ValueError(f"no bundled clips {name!r}; choose from {names}.")
    return replace(every, rows=rows)


def read_official_fsdd(folder: Path, name: str = "fsdd") -> Dataset:
    """The release's own layout: recordings/<digit>_<speaker>_<index>.wav, indices 0-4 are test.

    Raises:
        ValueError: if there is no such file.
    """
    rows = []
    for path in sorted((folder / "recordings").glob("*.wav")):
        if match := FSDD_FILE.fullmatch(path.name):
            digit, speaker, index = match.groups()
            rows.append(
                {
                    "file": f"recordings/{path.name}",
                    "label": digit,
                    "speaker_or_source": speaker,
                    "group": path.stem,
                    "split": "test" if int(index) in FSDD_TEST_INDICES else "train",
                    "licence": FSDD_LICENCE,
                }
            )
    if not rows:
        raise ValueError(f"{folder / 'recordings'} holds no <digit>_<speaker>_<index>.wav.")
    return Dataset(name, folder, tuple(rows))


def read_official_irmas(folder: Path, name: str = "irmas") -> Dataset:
    """The training part of IRMAS (Bosch et al. 2012): 3 s excerpts of real music, in stereo.

    IRMAS names no splits for it. Here every recording lies in one: about 70 % train, 10 % val and
    20 % test, by a checksum, so that a file more or less moves no other.

    Raises:
        ValueError: if there is no such file.
    """
    rows = []
    for path in sorted((folder / IRMAS_FOLDER).glob("*/*.wav")):
        match = IRMAS_FILE.fullmatch(path.name)
        if match and match[1] == path.parent.name in IRMAS_LABELS:
            group = match[1] + match[2]
            rows.append(
                {
                    "file": path.relative_to(folder).as_posix(),
                    "label": IRMAS_LABELS[match[1]],
                    "speaker_or_source": group,
                    "group": group,
                    "split": (2 * ["test"] + ["val"] + 7 * ["train"])[crc32(group.encode()) % 10],
                    "licence": IRMAS_LICENCE,
                }
            )
    if not rows:
        raise ValueError(
            f"{folder / IRMAS_FOLDER} holds no <code>/[<code>][<genre>]<recording>__<excerpt>.wav."
        )
    return Dataset(name, folder, tuple(rows))


def download(name: str, url: str = FSDD_URL, into: Path | None = None) -> Dataset:
    """Fetches the official release into the user's cache and writes its metadata.csv.

    A folder that is there already is read, never replaced.

    Raises:
        ValueError: for a name that has no release, a failed download, or an unexpected archive.
    """
    if name != "fsdd":
        raise ValueError(f"no download for {name!r}; choose from fsdd.")
    folder = into or cache_folder() / name
    if folder.exists():
        return read_folder(folder, name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            archive, made = Path(scratch) / "release.zip", Path(scratch) / "made"
            with urllib.request.urlopen(url, timeout=60) as response, archive.open("wb") as file:
                shutil.copyfileobj(response, file)
            _extract_recordings(archive, made)
            _write_metadata(read_official_fsdd(made, name))
            made.rename(folder)  # all or nothing
    except (OSError, HTTPException, *DAMAGED_ARCHIVE) as error:
        raise ValueError(f"cannot download {url}: {reason(error)}.") from error
    return read_folder(folder, name)


def _extract_recordings(archive: Path, into: Path) -> None:
    """Only <anything>/recordings/<FSDD_FILE>, by base name: no path of the archive is trusted."""
    (into / "recordings").mkdir(parents=True)
    with zipfile.ZipFile(archive) as files:
        for member in files.namelist():
            folder, _, file = member.rpartition("/")
            if folder.endswith("/recordings") and FSDD_FILE.fullmatch(file):
                (into / "recordings" / file).write_bytes(files.read(member))
    if not any((into / "recordings").iterdir()):
        raise zipfile.BadZipFile("it holds no recordings/<digit>_<speaker>_<index>.wav")


def _write_metadata(dataset: Dataset) -> None:
    with (dataset.folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(dataset.rows)
