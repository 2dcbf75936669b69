"""Where assets, checkpoints and tables lie: in a checkout, or inside an installed package."""

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
