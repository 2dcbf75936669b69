"""What `pip install .` installs works from any folder: command, checkpoints, clips and pages."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import robustaudio

ROOT = Path(__file__).parents[1]
SOURCES = ("robustaudio", "assets", "checkpoints", "pyproject.toml", "setup.py", "requirements.txt",
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
def installed(wheel, tmp_path_factory):
    """The folder that pip installed the wheel into; the requirements are this environment's."""
    target = tmp_path_factory.mktemp("target")
    command = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    return target


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder outside the checkout that holds a sound of the user's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(ROOT / "assets" / "clips" / "seven-slt.wav", folder / "mine.wav")
    return folder


@pytest.fixture(scope="module")
def run(installed, elsewhere):
    """Runs the installed package from a folder of its own, without the checkout on its path."""

    def call(*arguments, program=(sys.executable, "-P")):
        made = subprocess.run(
            [*program, *arguments],
            cwd=elsewhere,
            env=os.environ | {"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=True,
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


def test_pip_installs_a_command(run, installed):
    (command,) = [path for path in (installed / "bin").iterdir() if path.stem == "robustaudio"]
    assert run("--version", program=[command]) == f"{robustaudio.__version__}\n"
    clip = installed / "robustaudio" / "assets" / "clips" / "seven-slt.wav"
    record = json.loads(run("predict", clip, "--json", program=[command]))
    assert record["prediction"] == "7"


def test_a_notebook_reaches_the_bundled_clips_and_checkpoints(run):
    code = (
        "from robustaudio import load_classifier, open_dataset;"
        "classifier = load_classifier('digits-cnn');"
        "x, y = classifier.prepare_dataset(open_dataset('bundled-digits'));"
        "print(len(x), bool((classifier(x).argmax(1) == y).all()))"
    )
    assert run("-c", code).split() == ["12", "True"]


def test_its_page_and_its_studies_are_there(run):
    code = (
        "from robustaudio.ui.launch import load_services; from robustaudio.ui.page import *;"
        "from robustaudio.paths import *;"
        "build_page(load_services()); print(STYLE.is_file(), ASSETS / 'studies', RESULTS)"
    )
    style, studies, results = run("-c", code).split()
    assert style == "True" and len(list(Path(studies).glob("*.yaml"))) == 3
    assert Path(results) == Path("docs/results")  # in the current folder


@pytest.fixture(scope="module")
def exported():
    """Module and name of each export, as type checkers see them."""
    tree = ast.parse((ROOT / "robustaudio" / "__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    return {alias.name: node.module for node in block.body for alias in node.names}


def test_type_checkers_and_programs_see_the_same_names(exported):
    assert sorted(exported) == sorted(robustaudio.__all__)
    assert {*exported} <= {*dir(robustaudio)}
    for name, module in exported.items():
        assert getattr(robustaudio, name) is getattr(import_module(module), name)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'robustaudio' has no attribute 'Clipp'"):
        robustaudio.Clipp  # noqa: B018


def test_an_import_loads_no_torch_and_takes_no_time():
    code = (
        "import sys, time; start = time.perf_counter(); import robustaudio;"
        "print(time.perf_counter() - start, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    made = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True) for _ in range(3)]
    seconds, *loaded = zip(*(run.stdout.split() for run in made), strict=True)
    assert {*loaded[0], *loaded[1]} == {"False"}
    assert min(map(float, seconds)) < 0.2
