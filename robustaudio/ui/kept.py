"""Visitors' own clips: each is kept as long as the visit that brought it.

Gradio deletes what was uploaded after an hour, while the page is still open.
"""

import shutil
import tempfile
from pathlib import Path
from secrets import token_hex

KEPT = 2  # clips of a visit: a run that has just begun may still read the one before


class Kept:
    """A folder for each visit; all of them go when the program ends."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="robustaudio-visits-")

    @property
    def home(self) -> Path:
        return Path(self._home.name)

    def keep(self, path: Path, visit: str) -> tuple[Path, str]:
        """Copies a file into the folder of a visit ("": a new one); returns the copy and the visit.

        The copy has the file's own name. The oldest beyond `KEPT` are deleted.
        """
        visit = visit or token_hex(16)
        folder = self.home / visit
        folder.mkdir(mode=0o700, exist_ok=True)
        numbers = sorted(int(one.name) for one in folder.iterdir())
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
