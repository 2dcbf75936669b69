"""The Markdown of docs/results: who made a page, its tables and numbers, and its files."""

import platform
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

import torch

from robustaudio import __version__
from robustaudio.paths import RESULTS

UNKNOWN = "–"

Log = Callable[[str], None]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table; every row as long as the head."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def percent(share: float | None) -> str:
    """A share in per cent; a dash where it is not known."""
    return decimal(None if share is None else 100 * share)


def decimal(value: float | None) -> str:
    """A number with one decimal; a dash where it is not known."""
    return UNKNOWN if value is None else f"{value:.1f}"


def median_of(values: Iterable[float | None]) -> str:
    """The median of the known values; a dash where there are none."""
    known = [value for value in values if value is not None]
    return decimal(median(known) if known else None)


def made_by(name: str, limit: int | None, seed: int) -> str:
    """The beginning of a page: its command, and what it ran on."""
    command = f"python -m robustaudio table {name}" + (f" --limit {limit}" if limit else "")
    return (
        f"Made by `{command}` (robustaudio {__version__}, torch {torch.__version__}, "
        f"{platform.machine()}, {torch.get_num_threads()} threads, seed {seed})"
    )


def write_page(
    output: Path | None, name: str, text: str, pictures: Mapping[str, str] | None = None
) -> str:
    """Write a page (to docs/results/NAME.md) and the pictures beside it; its path."""
    path = output or RESULTS / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, content in [*(pictures or {}).items(), (path.name, text)]:
        path.with_name(file).write_text(content, encoding="utf-8")
    return str(path)
