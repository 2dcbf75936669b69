"""Data sets as folders with a metadata.csv (file, label, group, split, licence ...)."""

import csv
import os
import re
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from zlib import crc32

from robustaudio.audio.clip import Clip

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "clips"
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
            raise ValueError(f"{self.name} has no split {split!r}; choose from {self.splits}.")
        if limit is not None and limit < 1:
            raise ValueError(f"limit {limit} must be at least 1.")
        rows = [row for row in self.rows if row["split"] == split]
        if limit is not None and limit < len(rows):
            rows = [rows[i * len(rows) // limit] for i in range(limit)]
        return replace(self, rows=tuple(rows))

    def clips(self) -> Iterator[Clip]:
        """Each row's recording, labelled."""
        for row in self.rows:
            yield replace(Clip.load(self.folder / row["file"]), label=row["label"])

    def __len__(self) -> int:
        return len(self.rows)


def open_dataset(name: str) -> Dataset:
    """The data set `name`: "bundled-<task>", or a folder of ROBUSTAUDIO_DATA or the user's cache.

    Raises:
        ValueError: if it is not at hand; the sentence names the command that gets it, if any.
    """
    if name.startswith(BUNDLED_PREFIX):
        return _read_bundled(name)
    for root in data_folders():
        folder = root / name
        if (folder / "metadata.csv").is_file():
            return read_folder(folder, name)
        if (folder / "recordings").is_dir():
            return read_official_fsdd(folder, name)
        if (folder / IRMAS_FOLDER).is_dir():
            return read_official_irmas(folder, name)
    looked, advice = " and ".join(str(root) for root in data_folders()), how_to_get(name)
    raise ValueError(
        f"no data set {name!r} in {looked}; set ROBUSTAUDIO_DATA to the folder that holds it"
        + (f", or {advice}" if advice else ".")
    )


def how_to_get(name: str) -> str | None:
    """What brings a data set into the user's cache (None: nothing does)."""
    folder = cache_folder() / name
    return {
        "fsdd": "run: python -m robustaudio download fsdd",
        "rendered": f"run: python assets/render_digits.py --training {folder}",
        "rendered-instruments": f"run: python assets/render_instruments.py --training {folder}",
        "irmas": f"unpack {IRMAS_FOLDER}.zip, which {IRMAS_URL} offers, into {folder}",
    }.get(name)


def data_folders() -> list[Path]:
    """Where data sets are looked for: ROBUSTAUDIO_DATA, then the user's cache."""
    named = os.environ.get("ROBUSTAUDIO_DATA")
    return ([Path(named)] if named else []) + [cache_folder()]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "robustaudio"


def read_folder(folder: Path, name: str) -> Dataset:
    """A folder with a metadata.csv.

    Raises:
        ValueError: if the table cannot be read, lacks a column, or names a file outside the folder.
    """
    path = folder / "metadata.csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, columns = tuple(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}.")
    if not rows:
        raise ValueError(f"{path} names no file.")
    root = folder.resolve()
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"{path} has {len(columns)} columns, but not in row {number}.")
        if "\0" in row["file"] or not (root / row["file"]).resolve().is_relative_to(root):
            raise ValueError(f"{path} names a file outside its folder: {row['file']!r}.")
    return Dataset(name, folder, rows)


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
        raise ValueError(f"cannot download {url}: {error}") from error
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
