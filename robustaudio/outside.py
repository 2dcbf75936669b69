"""Text that comes from outside: read only if it is a regular file of a size that it may have."""

import json
import os
import stat
from pathlib import Path
from typing import Any


def read_text(path: Path, most_bytes: int, called: str | None = None) -> str:
    """The UTF-8 text of a file, without a byte order mark; `called` is its name in sentences.

    Never more than `most_bytes` are read, whatever the file system says of the size: devices and
    pipes have none.

    Raises:
        ValueError: one sentence, for what is no file, is too long, or is no text.
    """
    name = called or str(path)
    try:
        # a pipe without a writer must not be waited for
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError(f"{name} is not a file.")
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            reason = (error.strerror or type(error).__name__).lower()
            raise ValueError(f"{name} cannot be read: {reason}.") from error
        if "null" in str(error):
            raise ValueError(f"{name!r} is not the name of a file.") from error
        raise
    if len(content) > most_bytes:
        raise ValueError(f"{name} is too long: at most {shown_bytes(most_bytes)}, please.")
    try:
        return content.decode("utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not text in UTF-8.") from error


def read_json(path: Path, most_bytes: int, called: str | None = None) -> Any:
    """What a JSON file says.

    Raises:
        ValueError: as `read_text`, and for what is no JSON.
    """
    text, name = read_text(path, most_bytes, called), called or str(path)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}.") from error


def shown_bytes(count: int) -> str:
    """A size in words: 50 MB, 16 kB."""
    return f"{count / 1e6:g} MB" if count >= 1e6 else f"{count / 1e3:g} kB"
