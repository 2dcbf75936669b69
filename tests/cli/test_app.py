"""Whatever the surroundings are, the app starts, or says in a sentence why it does not."""

import shutil

import pytest

from robustaudio import doors
from robustaudio.audio import datasets
from robustaudio.audio.datasets import bundled
from robustaudio.cli.app import check_scratch
from robustaudio.ui import launch
from robustaudio.ui.page import build_page


@pytest.fixture
def surroundings(monkeypatch, tmp_path):
    """The app's own, with nothing of this machine in them."""
    for name in ("ROBUSTAUDIO_DATA", "ROBUSTAUDIO_LISTENING", "SPACE_ID", "GRADIO_TEMP_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_text("no folder")
    return monkeypatch


@pytest.mark.parametrize(
    "name, value",
    [
        ("ROBUSTAUDIO_DATA", "/nonexistent/x"), ("ROBUSTAUDIO_DATA", "loop"),
        ("ROBUSTAUDIO_DATA", "file"), ("ROBUSTAUDIO_DATA", ""), ("ROBUSTAUDIO_DATA", "x" * 5_000),
        ("XDG_CACHE_HOME", "loop"), ("XDG_CACHE_HOME", "/nonexistent"), ("XDG_CACHE_HOME", "file"),
        ("HOME", "/nonexistent"), ("HOME", ""), ("HOME", "file"), ("HOME", None),
        ("ROBUSTAUDIO_LISTENING", "/dev/null/x"), ("ROBUSTAUDIO_LISTENING", "memory:"),
    ],
)  # fmt: skip
def test_the_app_opens_without_what_is_not_there(name, value, surroundings):
    if value is None:
        surroundings.delenv(name)
    else:
        surroundings.setenv(name, value)
    shipped = {"digits-cnn": launch.usable()["digits-cnn"]}
    surroundings.setattr(launch, "usable", lambda: shipped)
    services = launch.load_services()
    assert len(services.clips["digits"]) >= 10 and list(services.classifiers) == ["digits-cnn"]


@pytest.mark.parametrize(
    "value, sentence",
    [
        ("", "'' names no store; a folder, sqlite:///FILE,"),
        ("mysql://x/y", "'mysql' is no database at hand"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", "cannot be reached or written to"),
        ("file", "the store file is a file"),
        ("sqlite:///no/such/folder/x.db", "cannot be reached or written to"),
    ],
)
def test_a_store_that_is_none_stops_the_app_in_a_sentence(value, sentence, surroundings):
    surroundings.setenv("ROBUSTAUDIO_LISTENING", value)
    shipped = {"digits-cnn": launch.usable()["digits-cnn"]}
    surroundings.setattr(launch, "usable", lambda: shipped)
    with pytest.raises(ValueError, match=sentence) as refused:
        launch.load_services()
    assert "secret" not in str(refused.value) and str(refused.value).endswith(".")


@pytest.mark.parametrize("value", ["/dev/null/x", "/proc/nope", "file", "x" * 5_000])
def test_a_folder_for_temporary_files_that_is_none_stops_it_too(value, surroundings):
    surroundings.setenv("GRADIO_TEMP_DIR", value)
    with pytest.raises(ValueError, match=r"GRADIO_TEMP_DIR .* cannot be written to: .*\.$"):
        check_scratch()
    surroundings.delenv("GRADIO_TEMP_DIR")
    surroundings.setattr("tempfile.gettempdir", _no_folder)
    with pytest.raises(ValueError, match=r"set TMPDIR to one: .*\.$"):
        check_scratch()


def _no_folder() -> str:
    raise FileNotFoundError(2, "No usable temporary directory found")


@pytest.fixture
def bundle(surroundings, tmp_path):
    """Copies of the bundled clips that may be damaged."""
    folder = shutil.copytree(datasets.BUNDLED, tmp_path / "clips")
    surroundings.setattr(bundled, "BUNDLED", folder)
    shipped = {"digits-cnn": launch.usable()["digits-cnn"]}
    surroundings.setattr(launch, "usable", lambda: shipped)
    return folder


def test_bundled_clips_that_are_gone_or_damaged_are_a_sentence_each(bundle):
    (bundle / "seven-slt.wav").unlink()
    (bundle / "four-rms.wav").write_bytes(b"RIFF nonsense")
    services = launch.load_services()
    build_page(services)

    from robustaudio.ui.sources import NoClip, Source

    for name, path in services.clips["digits"].items():
        source = Source(name, path, "digits")
        if path.name in ("seven-slt.wav", "four-rms.wav"):
            with pytest.raises(NoClip) as refused:
                services.open(source, "digits-cnn")
            assert str(bundle) not in str(refused.value) and str(refused.value).endswith(".")


def test_a_bundle_without_its_table_stops_the_app_in_a_sentence(bundle):
    for table in bundle.rglob("*.csv"):
        table.unlink()
    with pytest.raises((ValueError, OSError)) as refused:
        launch.load_services()
    assert doors.sentence(refused.value).endswith(".") and not doors.is_defect(refused.value)
