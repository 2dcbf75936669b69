"""Long runs over a data set, that can be killed and go on: one JSON line per clip."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from robustaudio.evaluation.clips import Progress

Rows = list[dict]
Made = TypeVar("Made")


def resumable(
    job: Callable[[list[int]], Rows],
    names: Sequence[str],
    *,
    chunk: int,
    path: Path | None = None,
    header: dict,
    progress: Progress | None = None,
) -> Rows:
    """`job` on the numbers of all clips, `chunk` at a time; a row per clip, in their order.

    With a path, rows are appended as they come, and those that stand there already are not made
    again: a killed run loses the clips in flight. `header` says what was run, and stands first.

    Raises:
        ValueError: if the file holds another run, or cannot be read or written.
    """
    rows = _read(path, header, names) if path else {}
    missing = [n for n, name in enumerate(names) if name not in rows]
    for start in range(0, len(missing), chunk):
        if progress:
            progress(1 - (len(missing) - start) / len(names))
        numbers = missing[start : start + chunk]
        new = dict(zip((names[n] for n in numbers), job(numbers), strict=True))
        if path:
            _append(path, [{"clip": name, **row} for name, row in new.items()])
        rows |= new
    return [rows[name] for name in names]


def kept(path: Path, make: Callable[[], Made]) -> Made:
    """What `make` made, now or before: a JSON file keeps it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def _read(path: Path, header: dict, names: Sequence[str]) -> dict[str, dict]:
    """The rows of a file that was begun with the same header; a torn last line is cut off."""
    if not path.exists():
        _append(path, [header])
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        lines = [json.loads(line) for line in whole.splitlines()]
        rows = {line.pop("clip"): line for line in lines[1:]}
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not the file of a run: JSON, a line per clip.") from error
    if not lines or lines[0] != json.loads(json.dumps(header)) or not rows.keys() <= set(names):
        raise ValueError(f"{path} holds another run; choose a new file, or the same options.")
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return rows


def _append(path: Path, lines: list[dict]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
