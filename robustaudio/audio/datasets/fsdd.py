"""The Free Spoken Digit Dataset: the layout of its release, and how it is downloaded."""

import re
import shutil
import tempfile
import urllib.request
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path

from robustaudio.audio.datasets.dataset import Dataset, Row
from robustaudio.audio.datasets.metadata_csv import read_folder, write_metadata
from robustaudio.doors import reason
from robustaudio.paths import cache_folder

FSDD_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
FSDD_FILE = re.compile(r"([0-9])_([A-Za-z]+)_([0-9]+)\.wav")  # digit, speaker, index
DAMAGED_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
FSDD_ADVICE = "run: python -m robustaudio download fsdd"


def holds_fsdd(folder: Path) -> bool:
    """Whether a folder holds recordings with the names of the release."""
    return any(FSDD_FILE.fullmatch(path.name) for path in (folder / "recordings").glob("*.wav"))


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
                Row(
                    file=f"recordings/{path.name}",
                    label=digit,
                    speaker_or_source=speaker,
                    group=path.stem,
                    split="test" if int(index) < 5 else "train",  # its authors' "first 10 %"
                    licence="CC-BY-SA-4.0",
                )
            )
    if not rows:
        raise ValueError(f"{folder / 'recordings'} holds no <digit>_<speaker>_<index>.wav.")
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
            write_metadata(read_official_fsdd(made, name))
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
