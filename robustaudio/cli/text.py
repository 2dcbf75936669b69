"""A record as text for people: aligned lines, and a table for a list of records."""

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDE = 10_000  # characters of a line where no terminal folds it


def as_text(record: Any) -> str:
    """A record as aligned lines; lists of records as a table. Folds at a terminal's width.

    >>> print(as_text({"clips": 4, "levels": [{"level_db": -40.0, "success_rate": None}]}))
    clips   4
    levels
      level_db  success_rate
      -40.0000             -
    """
    looked_at = sys.stdout.isatty()
    console = Console(width=None if looked_at else WIDE, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(Group(*_lines(record)))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _lines(record: Any) -> Iterator[RenderableType]:
    if isinstance(record, list):
        yield _table(record)
        return
    width = max(map(len, record), default=0)
    for key, value in record.items():
        rows = value[:1] if isinstance(value, list) else [value]
        if rows and isinstance(rows[0], dict):
            yield Text(key)
            yield from (Padding(line, (0, 0, 0, 2), expand=False) for line in _lines(value))
        else:
            line = Table.grid(padding=(0, 2, 0, 0))
            line.add_column(min_width=width)
            line.add_row(Text(key), Text(_shown(value), overflow="fold"))
            yield line


def _table(rows: list[dict]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, value in rows[0].items() if rows else ():
        justify = "left" if isinstance(value, str) else "right"
        table.add_column(Text(name), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(row[name])) for name in rows[0]))
    return table


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e4 else f"{value:.4f}"
    if isinstance(value, list) and len(value) > 8:
        return f"[{len(value)} values]"
    return "-" if value is None else str(value)
