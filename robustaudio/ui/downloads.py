"""Files to download: their names, and the folder from which Gradio copies them."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from robustaudio.evaluation.report import save_report

FORBIDDEN = re.compile(r'[\\/:*?"<>|\x00-\x1f]+| · ')  # in the name of a file, somewhere
MAX_PART = 60  # characters of each part of a download's name: a file system may hold 255 bytes
MOST_RUNS = 50  # reports on one clip that a visit keeps


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for files to serve, of which Gradio makes copies before it is deleted."""
    with tempfile.TemporaryDirectory(prefix="robustaudio-") as folder:
        yield Path(folder)


def download(path: Path) -> gr.DownloadButton:
    """A file to click on."""
    return gr.DownloadButton(value=str(path), interactive=True)


def download_report(folder: Path, name: str, report: dict) -> gr.DownloadButton:
    """A report to click on, `name` with its suffix."""
    path = folder / f"{name}.json"
    save_report(report, path)
    return download(path)


def with_report(runs: tuple[dict, ...], report: dict) -> tuple[dict, ...]:
    """The last reports on the same clip, and a new one."""
    same = [run for run in runs if run["clip"] == report["clip"]]
    return (*same[1 - MOST_RUNS :], report)


def file_name(*parts: str) -> str:
    """A name for a download, without a suffix: of a clip, a classifier, and what was done.

    >>> file_name("7 · flite slt", "digits-cnn", "abx")
    '7-flite slt-digits-cnn-abx'
    """
    return "-".join(FORBIDDEN.sub("-", part)[:MAX_PART] for part in parts)
