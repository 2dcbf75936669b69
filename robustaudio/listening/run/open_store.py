"""Open the store that a word names: in memory, a folder, a database or a data set on the Hub."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import FORMS, MemoryStore, Store

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:|:")  # one letter is a drive of Windows


def open_store(where: str, *, create: bool = True) -> Store:
    """The store that a word names: a folder, `memory:`, a database's URL, `hub://owner/dataset`.

    Raises:
        ValueError: for what no backend knows, or, without `create`, what is not there.
    """
    if where == "memory:":
        return MemoryStore()
    scheme, is_url, rest = where.partition("://")
    if _names_none(where):
        shown = f"{scheme}://…" if "@" in where else where  # no password
        raise ValueError(f"{shown!r} names no store; {FORMS} would be right.")
    if not is_url:
        if Path(where).exists() and not Path(where).is_dir():
            raise ValueError(f"the store {where} is a file; {FORMS} would be right.")
        if not create and not Path(where).is_dir():
            raise ValueError(f"there is no folder {where}.")
        return JsonLinesStore(Path(where))
    if scheme == "hub":
        from robustaudio.listening.run.hub import open_hub_store

        return open_hub_store(rest)
    from robustaudio.listening.run.database import DatabaseStore

    return DatabaseStore(where, create=create)


def _names_none(where: str) -> bool:
    """Whether a word has none of the `FORMS`, though a folder could be called so."""
    scheme, is_url, rest = where.partition("://")
    if not is_url:
        is_word = where.strip() and not where.startswith("~") and "\0" not in where
        return not is_word or bool(SCHEME.match(where) and not Path(where).is_dir())
    if scheme == "sqlite":
        return not rest.strip("/ ") or rest.endswith(":memory:")
    try:
        port = urlsplit(where).port
        return not scheme or not rest or port == 0
    except ValueError:  # the port is no number
        return True
