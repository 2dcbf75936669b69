"""Text that comes from outside: read only if it is a regular file of a size that it may have."""

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robustaudio.doors import reason

MOST_VALUES = 2_000_000  # of JSON: lists, objects and what they hold; a value takes 32 to 250 bytes
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")  # a pair of these is one character
LONGEST_SHOWN = 60  # characters of a value in a sentence


def read_text(path: Path, most_bytes: int, called: str | None = None) -> str:
    """The UTF-8 text of a file, without a byte order mark; `called` is its name in sentences.

    Raises:
        ValueError: as `read_bytes`, and for what is no text.
    """
    try:
        content = read_bytes(path, most_bytes, called, " as text")
        return content.decode("utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(f"{called or path} cannot be read as text: it is not UTF-8.") from error


def read_bytes(path: Path, most_bytes: int, called: str | None = None, read_as: str = "") -> bytes:
    """The content of a file; `called` is its name in sentences.

    Never more than `most_bytes` are read, whatever the file system says of the size: devices and
    pipes have none.

    Raises:
        ValueError: one sentence, for what is no file or is too long.
    """
    name = called or str(path)
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    try:
        # a pipe without a writer must not be waited for
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ValueError(f"{name} is not a file.")
        with open(descriptor, "rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read{read_as}: {reason(error)}.") from error
    except ValueError as error:
        if "null" in str(error):
            raise ValueError(f"{name!r} is not the name of a file.") from error
        raise
    if len(content) > most_bytes:
        most = f"{most_bytes / 1e6:g} MB" if most_bytes >= 1e6 else f"{most_bytes / 1e3:g} kB"
        raise ValueError(f"{name} is too long: at most {most}, please.")
    return content


def read_json(path: Path, most_bytes: int, called: str | None = None) -> Any:
    """What a JSON file says.

    Raises:
        ValueError: as `read_text` and `loads`.
    """
    return loads(read_text(path, most_bytes, called), called or str(path))


def loads(
    text: str,
    name: str,
    most_values: int = MOST_VALUES,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """What a JSON text says; `pairs` makes a mapping of an object's keys and values.

    Raises:
        ValueError: one sentence, for what is no JSON, is nested too deeply, holds more values than
            memory should, or half a character.
    """
    if text.count(",") + text.count("[") + text.count("{") >= most_values:
        raise ValueError(f"{name} holds more than {most_values} values.")
    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply.") from error
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {str(error).rstrip('.')}.") from error
    if HALF_CHARACTER.search(text):
        check_characters(value, name)
    return value


class NotJson(ValueError):
    """A body whose content type is another one."""


def check_json_type(content_type: str) -> None:
    """Refuse a body that is not called JSON: other pages can send text unasked, but not that.

    Raises:
        NotJson: for any other content type.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json":
        shown_kind = kind[:80] or "none"
        raise NotJson(f"the content type is {shown_kind}; application/json would be right.")


def check_characters(value: Any, name: str) -> None:
    """Refuse text that no encoding can write: half of a pair of surrogates.

    Raises:
        ValueError: for the first such text, in lists and mappings at any depth.
    """
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            if not is_writable(part):
                raise ValueError(f"{name} holds half a character: {shown(part)}.")
        elif isinstance(part, dict):
            left += [*part, *part.values()]
        elif isinstance(part, list | tuple):
            left += part


def is_writable(text: str) -> bool:
    """Whether a text can be encoded, and so stored and shown."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: Any, longest: int = LONGEST_SHOWN) -> str:
    """A value in a sentence: as Python writes it, its first characters."""
    try:
        text = repr(value[: longest + 1] if isinstance(value, str) else value)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a number of many digits"
    return text if len(text) <= longest + 2 else f"{text[:longest]}…"


def kind(value: Any) -> str:
    """What a value is, in words.

    >>> kind(None), kind(2.0), kind([]), kind(int)
    ('None', 'the float 2.0', 'a list', 'the class int itself')
    """
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    if isinstance(value, bool | int | float | str):
        return f"the {type(value).__name__} {value!r}"
    name = type(value).__name__.replace("ndarray", "numpy array")
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
