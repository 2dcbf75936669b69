"""The how-to pages: the files that they name exist, and their examples run."""

import gc
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_files_that_are_there_and_a_test(page):
    named = re.findall(r"`((?:robustaudio|tests|assets)/[\w/.-]+)`", page.read_text("utf-8"))
    assert any(name.startswith("tests/") for name in named)
    for name in named:
        path = ROOT / name
        assert path.exists() or ("NAME" in name and path.parent.is_dir()), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_example_runs(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    space = {"__name__": page.stem}
    exec(compile("\n".join(blocks), page.name, "exec"), space)
    space.clear()
    gc.collect()  # a class of the page must not stay among the kinds of networks


def test_the_contents_page_leads_to_all_of_them():
    contents = (ROOT / "docs" / "index.md").read_text("utf-8")
    for page in [*PAGES, *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "notes").glob("*.md")]:
        assert (
            page.name == "index.md" or f"({page.relative_to(ROOT / 'docs').as_posix()})" in contents
        )
