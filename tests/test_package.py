"""What `pip install .` installs works from any folder: command, checkpoints, clips and pages."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("robustaudio", "assets", "checkpoints", "pyproject.toml", "requirements.txt",
           "README.md", "LICENSE")  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            hidden = shutil.ignore_patterns("__pycache__", "*.pyi")
            shutil.copytree(ROOT / name, folder / name, ignore=hidden)
        else:
            shutil.copy(ROOT / name, folder)
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "made", "."]
    subprocess.run([sys.executable, "-m", "pip", *command], cwd=folder, check=True)
    (path,) = (folder / "made").iterdir()
    return path


@pytest.fixture(scope="module")
def run(wheel, tmp_path_factory):
    """Runs the installed program from a folder of its own, without the checkout on its path."""
    target, elsewhere = (tmp_path_factory.mktemp(name) for name in ("target", "elsewhere"))
    with zipfile.ZipFile(wheel) as files:
        files.extractall(target)
    shutil.copy(ROOT / "assets" / "clips" / "seven-slt.wav", elsewhere / "mine.wav")

    def call(*arguments):
        environment = os.environ | {"PYTHONPATH": str(target)}
        command = [sys.executable, "-P", *arguments]
        made = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=True
        )
        return made.stdout

    return call


def test_the_wheel_holds_all_that_the_checkout_has(wheel):
    with zipfile.ZipFile(wheel) as files:
        held = set(files.namelist())
    for folder, prefix in (("robustaudio", ""), ("assets", "robustaudio/"),
                           ("checkpoints", "robustaudio/")):  # fmt: skip
        for path in (ROOT / folder).rglob("*"):
            name = f"{prefix}{path.relative_to(ROOT).as_posix()}"
            if path.is_file() and "__pycache__" not in name and path.suffix != ".pyi":
                assert name in held, name


def test_it_names_its_dependencies_and_its_command(wheel):
    with zipfile.ZipFile(wheel) as files:
        (metadata,) = [name for name in files.namelist() if name.endswith("/METADATA")]
        (scripts,) = [name for name in files.namelist() if name.endswith("/entry_points.txt")]
        needed = [
            line.removeprefix("Requires-Dist: ")
            for line in files.read(metadata).decode().splitlines()
            if line.startswith("Requires-Dist: ")
        ]
        assert "robustaudio = robustaudio.cli:main" in files.read(scripts).decode()
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    named = (line.partition("#")[0].strip() for line in lines)
    assert needed == [line for line in named if line]


def test_it_works_from_another_folder(run):
    where = run("-c", "import robustaudio; print(robustaudio.__file__)").strip()
    assert not Path(where).is_relative_to(ROOT)
    record = json.loads(run("-m", "robustaudio", "predict", "mine.wav", "--json"))
    assert record["prediction"] == "7"
    cards = json.loads(run("-m", "robustaudio", "classifiers", "--json"))
    assert {card["name"] for card in cards} == {
        path.stem for path in (ROOT / "checkpoints").glob("*.safetensors")
    }
    data = ["--dataset", "bundled-digits", "--limit", "2", "--json"]
    assert json.loads(run("-m", "robustaudio", "predict", *data))["clean_accuracy"] == 1


def test_its_page_and_its_studies_are_there(run):
    code = (
        "from robustaudio.ui.launch import load_services; from robustaudio.ui.page import *;"
        "from robustaudio.paths import *; from robustaudio.reports.tables import RESULTS;"
        "build_page(load_services()); print(STYLE.is_file(), ASSETS / 'studies', RESULTS)"
    )
    style, studies, results = run("-c", code).split()
    assert style == "True" and len(list(Path(studies).glob("*.yaml"))) == 3
    assert Path(results) == Path("docs/results")  # in the current folder
