"""Where things lie in a checkout; tests/test_package.py looks inside an installed package."""

import tempfile
from pathlib import Path

from robustaudio import paths

ROOT = Path(__file__).parents[1]


def test_a_checkout_holds_its_data_beside_the_package():
    assert not paths.INSTALLED
    assert paths.PACKAGE == ROOT / "robustaudio" and paths.HOME == ROOT
    assert paths.ASSETS == ROOT / "assets" and paths.CHECKPOINTS == ROOT / "checkpoints"
    assert paths.RESULTS.is_dir()


def test_a_user_without_a_folder_has_that_for_temporary_files(monkeypatch):
    assert paths.home() == Path.home()

    def unknown():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    assert paths.home() == Path(tempfile.gettempdir())
