"""Whatever the surroundings are, a start ends in a sentence or in something that works."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robustaudio import doors, paths
from robustaudio.audio import datasets
from robustaudio.audio.datasets import bundled
from robustaudio.cli import main
from robustaudio.cli.app import check_scratch
from robustaudio.cli.main import with_numbers
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.plain_json import as_json
from robustaudio.ui import launch
from robustaudio.ui.layout import build_page

ROOT = Path(__file__).parents[1]
CLIP = str(datasets.BUNDLED / "seven-slt.wav")
POSIX = pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which `robustaudio` is the command."""
    command = f'robustaudio() {{ "{sys.executable}" -m robustaudio "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": ""} | environment, timeout=120,
    )  # fmt: skip


# --- streams -------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize(
    "line, code, words",
    [
        ("robustaudio predict nosuch.wav >&-", 2, "there is no file nosuch.wav."),
        ("robustaudio predict nosuch.wav <&-", 2, "there is no file nosuch.wav."),
        ("robustaudio predict nosuch.wav 2>&-", 2, ""),
        ("robustaudio --help >&-", 0, ""),
        ("robustaudio attack --help | head -1; exit ${PIPESTATUS[0]}", 0, ""),
        ("robustaudio --version > /dev/full", 2, "cannot be written: no space left on device."),
        ("robustaudio --version <&- >&- 2>&-", 0, ""),
        ("python -c '' ; cd / && robustaudio --version", 0, ""),
    ],
)
def test_closed_and_full_streams(line, code, words):
    run = shell(line, PYTHONPATH=str(ROOT))
    assert run.returncode == code, run.stderr
    assert words in run.stderr and "Traceback" not in run.stderr and "ignored" not in run.stderr
    assert run.stderr.count("\n") == (words != "")


@POSIX
def test_what_is_opened_does_not_take_the_place_of_a_closed_stream():
    code = (
        "import os, sys; from robustaudio import doors; doors.open_streams();"
        "file = os.open(os.devnull, os.O_WRONLY); sys.exit(file)"
    )
    run = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "{code}" <&- >&- 2>&-'], cwd=ROOT)
    assert run.returncode == 3


@POSIX
def test_characters_that_a_terminal_lacks_do_not_stop_a_command():
    surroundings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    run = shell("robustaudio predict 'größe−1.wav'", **surroundings)
    assert run.returncode == 2 and "there is no file gr" in run.stderr
    code = "from robustaudio import doors; doors.main_of('x', lambda: print('a − b') or 0)"
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ascii_only, capture_output=True
    )
    assert run.returncode == 0 and run.stdout == b"a ? b\n" and not run.stderr


# --- Ctrl-C, defects, missing packages -----------------------------------------------------------


def raising(monkeypatch, error):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("robustaudio.cli.verbs.Predict.run", fail)


@pytest.mark.parametrize(
    "error, code, sentence",
    [
        (KeyboardInterrupt(), 130, "cancelled."),
        (BrokenPipeError(), 0, ""),
        (KeyError("A"), 1, "something failed inside (KeyError: 'A'); ROBUSTAUDIO_DEBUG=1 shows"),
        (AssertionError(), 1, "something failed inside (AssertionError: no reason given); "),
        (RuntimeError("line one\nline two"), 1, "(RuntimeError: line one); "),
        (RecursionError("too deep"), 1, "(RecursionError: too deep); "),
        (OSError(28, "No space left on device"), 2, "no space left on device."),
        (FileNotFoundError(2, "No such file", "style.css"), 2, "style.css: no such file."),
        (ModuleNotFoundError("No module named 'av'", name="av"), 2, "the package av is missing"),
        (ModuleNotFoundError("x", name="robustaudio.x"), 1, "something failed inside"),
        (MemoryError(), 2, "there is not enough memory; ask for less"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate "
                      "64000000000 bytes. Error code 12"), 2, "memory: 64 GB more were asked"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), 2, "memory: 21.5 GB"),
        (RuntimeError("Storage size calculation overflowed with sizes=[1000000000, 8000]"), 2,
         "there is not enough memory; "),
        (ValueError("level nan dB is none."), 2, "level nan dB is none."),
    ],
)  # fmt: skip
def test_every_error_is_one_sentence(error, code, sentence, capsys, monkeypatch):
    raising(monkeypatch, error)
    assert main(["predict", CLIP]) == code
    out, err = capsys.readouterr()
    assert not out and sentence in err and err.count("\n") == (sentence != "")


def test_a_defect_shows_where_it_is_when_asked(capsys, monkeypatch):
    raising(monkeypatch, KeyError("A"))
    monkeypatch.setenv(doors.DEBUG, "1")
    assert main(["predict", CLIP]) == 1
    assert "Traceback" in capsys.readouterr().err


@POSIX
def test_ctrl_c_while_it_computes_leaves_one_line():
    command = [sys.executable, "-u", "-m", "robustaudio", "certify", CLIP, "--n", "10000000"]
    begun = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        begun.wait(8)
    except subprocess.TimeoutExpired:
        begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=60)
    assert begun.returncode == 130 and err.splitlines()[-1] == "robustaudio: cancelled."
    assert "Traceback" not in err


# --- surroundings of the app ---------------------------------------------------------------------


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


def test_a_user_without_an_entry_has_a_folder_for_what_is_kept(monkeypatch):
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", unknown)
    assert paths.home().is_dir() and datasets.cache_folder().name == "robustaudio"


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
    from robustaudio.ui.convert import NoClip, Source, open_source

    for name, path in services.clips["digits"].items():
        source = Source(name, path, "digits")
        if path.name in ("seven-slt.wav", "four-rms.wav"):
            with pytest.raises(NoClip) as refused:
                open_source(services, source, "digits-cnn")
            assert str(bundle) not in str(refused.value) and str(refused.value).endswith(".")


def test_a_bundle_without_its_table_stops_the_app_in_a_sentence(bundle):
    for table in bundle.rglob("*.csv"):
        table.unlink()
    with pytest.raises((ValueError, OSError)) as refused:
        launch.load_services()
    assert doors.sentence(refused.value).endswith(".") and not doors.is_defect(refused.value)


# --- what is typed -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["-1e2", "-inf", "-nan", "-1E+2", "-.5e-3", "-1_000", "-7"])
def test_a_negative_number_is_a_number_in_every_notation(number, capsys):
    assert with_numbers(["--level-db", number]) == [f"--level-db={number}"]
    assert main(["attack", "nosuch.wav", "--level-db", number]) == 2
    assert "there is no file nosuch.wav" in capsys.readouterr().err
    assert with_numbers(["a", number, "--x=1", number]) == ["a", number, "--x=1", number]
    assert with_numbers(["--report", "-x"]) == ["--report", "-x"]


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["maximise", CLIP, "--level-db", "1e308"], "level 1e+308 dB must lie within +-300 dB."),
        (["maximise", CLIP, "--level-db", "nan"], "level nan dB must lie within +-300 dB."),
        (["maximise", CLIP, "--level-db", "-inf"], "level -inf dB must lie within +-300 dB."),
        (["attack", CLIP, "--level-db", "-1e308"], "must lie within +-300 dB."),
        (["verify", CLIP, "--level-db", "1e308"], "must lie within +-300 dB."),
        (["maximise", CLIP, "--population", "10000000"], "population 10000000 must be at most"),
        (["attack", CLIP, "--steps", str(10**30)], "must be at most"),
        (["certify", CLIP, "--chunk", "1000000000"], "chunk 1000000000 must be at most 100000."),
        (["certify", CLIP, "--n", "1000000000000"], "n 1000000000000 must be at most 10000000."),
        (["ruler", CLIP, "--n0", "1000000000000"], "must be at most 10000000."),
        (["certify", CLIP, "--radius", "nan"], "radii [nan] must be 0 or more, and finite."),
        (["certify", CLIP, "--radius", "0.5"], "--radius belongs to a data set"),
        (["predict", CLIP, "--split", "x"], "--split belongs to a data set"),
        (["predict", CLIP, "--limit", "0"], "limit 0 must be at least 1."),
        (["predict", CLIP, "--limit", "3"], "--limit belongs to a data set"),
        (["predict", CLIP, "--skip-unreadable"], "--skip-unreadable belongs to a data set"),
        (["attack", CLIP, "--smallest"], "--smallest belongs to a data set"),
        (["attack", CLIP, "--subtype", "PCM_16"], "--subtype belongs to --output"),
        (["train", "digits-cnn", "--seed", "-1"], "seed -1 must lie between 0 and 2^63 - 1."),
        (["table", "digits", "--limit", "0"], "limit 0 must be at least 1."),
        (["listen", "simulate", "STUDY", "--seed", "-1"], "seed -1 must lie between"),
        (["listen", "simulate", "STUDY", "--listeners", "2001", "--store", "x"], "from 1 to 2000."),
        (["listen", "simulate", "STUDY", "--store", ""], "'' names no store"),
        (["listen", "simulate", "STUDY", "--threshold", "1e308"], "threshold 1e+308 dB must lie"),
        (["listen", "simulate", "STUDY", "--spread", "1e308"], "spread 1e+308 dB must be from"),
        (["listen", "simulate", "STUDY", "--between", "1e308"], "between 1e+308 dB must be from"),
        (["listen", "serve", "STUDY", "--demo", "--store", "x"], "give one."),
        (["listen", "serve", "STUDY", "--store", ""], "'' names no store"),
    ],
)
def test_what_cannot_count_is_refused(arguments, sentence, capsys, tmp_path, monkeypatch):
    study = str(ASSETS_STUDY)
    monkeypatch.chdir(tmp_path)
    assert main([study if one == "STUDY" else one for one in arguments]) == 2
    out, err = capsys.readouterr()
    assert sentence in err and err.count("\n") == 1 and not out
    assert not list(tmp_path.iterdir())


ASSETS_STUDY = paths.ASSETS / "studies" / "can-you-hear-it.yaml"


@pytest.mark.parametrize("record", [{"a": float("nan"), "b": [float("inf"), (1.5, None)]}])
def test_json_is_json(record):
    told = json.loads(as_json(record), parse_constant=lambda name: pytest.fail(name))
    assert told == {"a": None, "b": [None, [1.5, None]]}


@pytest.mark.parametrize(
    "where",
    ["", " ", "x://", "://", "sqlite://", "sqlite:///", "sqlite:///:memory:", "hub://", ":",
     "postgresql://", "postgresql+psycopg://u:secret@h:port/x", "sqlite:x.db", "~/answers", "a\0b"],
)  # fmt: skip
def test_a_word_that_names_no_store_is_refused_with_the_forms_that_are_known(where, tmp_path):
    for create in (True, False):
        with pytest.raises(ValueError, match="names no store; a folder, sqlite:///FILE,") as told:
            open_store(where, create=create)
        assert "secret" not in str(told.value)


def test_a_folder_of_any_name_is_a_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sqlite:x").mkdir()
    for where in ("answers", "./a/b", "..", str(tmp_path), "C:x", "sqlite:x"):
        assert isinstance(open_store(where), JsonLinesStore)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="the store file is a file; a folder, sqlite"):
        open_store("file")
