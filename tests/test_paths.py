"""Where things lie in a checkout; tests/test_package.py looks inside an installed package."""

import tempfile
from pathlib import Path

from robustaudio import paths
from robustaudio.audio import datasets

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


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("ROBUSTAUDIO_DATA", "")
    assert datasets.data_folders() == [Path.home() / ".cache" / "robustaudio"]


def test_a_user_without_an_entry_has_a_folder_for_what_is_kept(monkeypatch):
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    assert paths.home().is_dir() and datasets.cache_folder().name == "robustaudio"
