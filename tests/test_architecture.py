"""The listing is the pipeline: imports point one way, and every value is what the design says."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from robustaudio.certification.interval import propagate
from robustaudio.classifiers import checkpoints

PACKAGE = Path(__file__).parents[1] / "robustaudio"
RANK = {
    "paths": -3, "threads": -3, "progress": -3, "doors": -3, "plain_json": -3, "outside": -2,
    "options": -1, "columns": -1, "serving": -1, "declared": 0, "gate": 0,
    "audio": 0, "representations": 1, "perception": 2, "classifiers": 3,
    "listening": 3,
    "threats": 4, "attacks": 5, "certification": 5, "training": 6, "evaluation": 7, "reports": 8,
    "ui": 9, "cli": 10, "__main__": 11,
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """First-level names under robustaudio that a module imports, function bodies included."""
    return imported_by(ast.parse(path.read_text(encoding="utf-8")))


def imported_by(tree: ast.AST) -> set[str]:
    """The same of a part of a module."""
    found = set()
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] != "robustaudio":
                continue
            imported = parts[1:2] or [alias.name for alias in node.names]
            found |= set(imported) - {"__version__"}
    return found


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_module_imports_only_what_stands_before_it(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):  # the names of a notebook, for type checkers alone; the rest is lazy
        (block,) = [node for node in ast.parse(path.read_text("utf-8")).body if imported_by(node)]
        assert isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        return
    own = parts[0]
    for other in imports(path):
        assert other == own or RANK[other] < RANK[own], f"{own} imports {other}"


def test_listening_judges_sounds_wherever_they_came_from():
    for path in (PACKAGE / "listening").rglob("*.py"):
        assert imports(path) <= {
            "audio",
            "columns",
            "serving",
            "listening",
            "options",
            "outside",
            "paths",
            "perception",
        }, path


LISTENING, PREFIX = PACKAGE / "listening", "robustaudio.listening"
INNER = {
    "psychometric": 0, "design": 1, "analysis": 2, "run": 2, "simulated_listeners": 2,
    "web": 3, "simulated_study": 4,
}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    sorted(
        path for path in LISTENING.rglob("*.py") if path.parent != LISTENING or path.stem[0] != "_"
    ),
    ids=lambda path: path.relative_to(LISTENING).as_posix(),
)
def test_listening_is_designed_before_it_is_run_or_analysed_and_shown_last(path):
    room = path.relative_to(LISTENING).with_suffix("").parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            other = f"{node.module}.{node.names[0].name}".removeprefix(PREFIX).split(".")[1]
            assert other == room or INNER[other] < INNER[room], f"{room} imports {other}"


def test_only_the_page_knows_gradio():
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] != "ui":
            assert "import gradio" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", checkpoints.names(task="digits"))
def test_every_layer_of_a_checkpoint_that_can_be_proven_has_an_interval_rule(name):
    unknown = propagate.dispatch(nn.Module)
    for layer in checkpoints.load_classifier(name).split("waveform")[1]:
        assert propagate.dispatch(type(layer)) is not unknown, type(layer).__name__


def test_nothing_in_the_package_unpickles():
    for path in [*PACKAGE.rglob("*.py"), PACKAGE.parent / "app.py"]:
        text = path.read_text(encoding="utf-8")
        assert "torch.load" not in text and "pickle" not in text.replace("unpickle", "").replace(
            "Never a pickle", ""
        ), path


def test_module_state_is_constant():
    """No visitor's data can sit in a global: nothing in the package rebinds one."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.Global)], path


def test_torch_runs_in_float32_unless_asked():
    assert torch.get_default_dtype() is torch.float32
