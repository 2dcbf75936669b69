"""The examples in docstrings are what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("representations", "perception", "threats")  # each module shows how it is used
WITH_EXAMPLES = [
    path
    for path in sorted((ROOT / "robustaudio").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=dotted)
def test_an_example_gives_what_it_says(path):
    failures, count = doctest.testmod(import_module(dotted(path)))
    assert count and not failures


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_these_rooms_has_an_example(room):
    modules = {
        path for path in (ROOT / "robustaudio" / room).glob("*.py") if path.stem != "__init__"
    }
    assert not modules - {*WITH_EXAMPLES}
