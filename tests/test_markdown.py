"""Every page of Markdown reads as it was meant: tables are tables, links and pictures lead on."""

from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
APART = {".venv", "node_modules", "shared"}
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part in APART or part.startswith(".") for part in page.relative_to(ROOT).parts)
)
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def front_matter_off(text: str) -> str:
    """Without the lines between `---` that a Space reads."""
    return text.split("\n---\n", 1)[1] if text.startswith("---\n") else text


def faults(text: str, folder: Path) -> list[str]:
    """What a reader would stumble over in a page that lies in the folder."""
    tokens = MARKDOWN.parse(front_matter_off(text))
    broken = [
        f"a table without a head: {token.content[:60]}"
        for before, token in pairwise(tokens)
        if before.type == "paragraph_open" and token.content.startswith("|")
    ]
    for target in targets(tokens):
        path = unquote(target.split("#")[0])
        if path and "://" not in target and not target.startswith("mailto:"):
            broken += [] if (folder / path).exists() else [f"leads nowhere: {target}"]
    return broken


def targets(tokens: list[Token]) -> list[str]:
    """Where the links and pictures of a page lead."""
    found = []
    for token in tokens:
        found += [str(token.attrs[key]) for key in ("href", "src") if key in token.attrs]
        found += targets(token.children or [])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_reads_as_it_was_meant(page):
    assert faults(page.read_text("utf-8"), page.parent) == []


@pytest.mark.parametrize(
    "text, said",
    [
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |\n", "a table without a head: | 3 | 4 |"),
        ("words\n\n| 3 | 4 |\n| 5 | 6 |\n", "a table without a head"),
        ("- a\n\n  | 3 | 4 |\n", "a table without a head"),
        ("[a](nowhere.md)", "leads nowhere: nowhere.md"),
        ("![a](gone.png)", "leads nowhere: gone.png"),
        ("| a |\n|---|\n| [x](gone/y.md#part) |\n", "leads nowhere: gone/y.md#part"),
    ],
)
def test_what_breaks_a_page_is_found(text, said, tmp_path):
    (only,) = faults(text, tmp_path)
    assert said in only


@pytest.mark.parametrize(
    "text",
    [
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "```\n| 3 | 4 |\n```\n",
        "---\na: 1\n---\n\n[a](here%20it%20is.md#x) and [b](https://example.org/c) and [d](#e)",
    ],
)
def test_what_is_sound_is_left_alone(text, tmp_path):
    (tmp_path / "here it is.md").touch()
    assert faults(text, tmp_path) == []
