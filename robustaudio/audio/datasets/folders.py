"""Where data sets are looked for."""

import os
from pathlib import Path

from robustaudio.paths import home


def data_folders() -> list[Path]:
    """Where data sets are looked for: ROBUSTAUDIO_DATA, then the user's cache."""
    named = os.environ.get("ROBUSTAUDIO_DATA")
    return ([Path(named)] if named else []) + [cache_folder()]


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "robustaudio"
