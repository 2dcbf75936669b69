"""Files to download: their names, and the folder from which Gradio copies them."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robustaudio.evaluation.report import save_report

FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]+| · ')  # in the name of a file, somewhere


MAX_PART = 60  # characters of each part of a download's name: a file system may hold 255 bytes


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the files of one answer; Gradio has copied what it serves when it goes."""
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as folder:
        yield Path(folder)


def report_file(folder: Path, name: str, report: dict) -> str:
    """The path of a report, `name` with its suffix, to be downloaded."""
    path = folder / f"{name}.json"
    save_report(report, path)
    return str(path)


def file_name(*parts: str) -> str:
    """A name for a download, without a suffix: of a clip, a classifier, and what was done.

    >>> file_name("7 · flite slt", "digits-cnn", "abx")
    '7-flite slt-digits-cnn-abx'
    """
    return "-".join(FORBIDDEN.sub("-", part)[:MAX_PART] for part in parts)
