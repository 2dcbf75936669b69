"""Where assets, checkpoints, tables and data sets lie: beside a checkout or in a package."""

import os
import tempfile
from importlib.resources import files
from pathlib import Path

PACKAGE = Path(str(files("robustaudio")))
INSTALLED = (PACKAGE / "assets").is_dir()  # a wheel holds assets and checkpoints in the package
DATA = PACKAGE if INSTALLED else PACKAGE.parent
ASSETS, CHECKPOINTS = DATA / "assets", DATA / "checkpoints"
HOME = Path() if INSTALLED else PACKAGE.parent  # what printed commands and paths are relative to
RESULTS = HOME / "docs" / "results"


def home() -> Path:
    """The user's folder; that for temporary files where the system knows of no user."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(tempfile.gettempdir())


def data_folders() -> list[Path]:
    """Where data sets are looked for: ROBUSTAUDIO_DATA, then the user's cache."""
    named = os.environ.get("ROBUSTAUDIO_DATA")
    return ([Path(named)] if named else []) + [cache_folder()]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "robustaudio"
