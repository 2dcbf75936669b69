"""Files of a visit that outlive Gradio's cache, which deletes after an hour, page open or not.

A visitor's own clip is kept as long as the visit that brought it, results to download for a day's
work.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import gradio as gr

DOWNLOADS_KEPT_S = 8 * 3600
KEPT = 2  # clips of a visit: a run that has just begun may still read the one before


def upload_folder() -> Path:
    """Where Gradio puts uploads: `GRADIO_TEMP_DIR`, or a folder of this app's own.

    All apps of Gradio share its default, and their files are not ours to delete.
    """
    if not os.environ.get("GRADIO_TEMP_DIR"):
        owner = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir()).resolve() / f"robustaudio-uploads-{owner}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            ours = folder.is_dir() and not folder.is_symlink()
            ours = ours and folder.stat().st_uid in (owner, 0)
        except OSError:
            ours = False
        os.environ["GRADIO_TEMP_DIR"] = str(folder if ours else tempfile.mkdtemp())
    return Path(os.environ["GRADIO_TEMP_DIR"])


class Kept:
    """A folder for each visit; all of them go when the program ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="robustaudio-visits-")
        self.home = Path(self._folder.name)

    def keep(self, path: Path, visit: str) -> tuple[Path, str]:
        """Copies a file into the folder of a visit ("": a new one); returns the copy and the visit.

        The copy has the file's own name. The oldest beyond `KEPT` are deleted.
        """
        visit = visit or token_hex(16)
        folder = self.home / visit
        folder.mkdir(mode=0o700, exist_ok=True)
        numbers = sorted(int(old.name) for old in folder.iterdir())
        place = folder / str(numbers[-1] + 1 if numbers else 0)
        place.mkdir()
        copy = Path(shutil.copyfile(path, place / path.name))
        for number in numbers[: len(numbers) + 1 - KEPT]:
            shutil.rmtree(folder / str(number), ignore_errors=True)
        return copy, visit

    def forget(self, visit: str) -> None:
        """Deletes what was kept of a visit that is over."""
        if visit:
            shutil.rmtree(self.home / visit, ignore_errors=True)


class Recent:
    """The files of one component that are younger than `age_s`: Gradio's cache spares them."""

    def __init__(self, files: Collection[str], age_s: float = DOWNLOADS_KEPT_S):
        self._files, self._age_s = files, age_s

    def __iter__(self) -> Iterator[str]:
        for file in [*self._files]:
            with suppress(OSError):
                if time.time() - Path(file).lstat().st_ctime < self._age_s:
                    yield file

    def add(self, file: str) -> None:
        """Nothing: Gradio adds what a component begins with, and that is none here."""


def keep_downloads(page: gr.Blocks) -> None:
    """Results stay as long as a visitor may want to click on them."""
    for block in page.blocks.values():
        if isinstance(block, gr.DownloadButton):
            block.keep_in_cache = Recent(block.temp_files)  # type: ignore[assignment]
