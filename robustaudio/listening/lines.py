"""Lines of a stream's file: each holds its checksum, and the last one shows that none was cut off.

A line is JSON with the keys kind, index, data and sum. The file's last line has a space before its
end, which the next line overwrites: a file that was cut between two lines lacks it. Lines without a
sum were written by older versions; they are read as they are.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LAST = b" \n"  # ends the last line
SUM = b', "sum": "%b"}'
EMPTY = b"0" * 16  # as long as a checksum
BEGINNING = re.compile(rb'\{"kind": ')
DECODER = json.JSONDecoder()
Fields = dict[str, Any]  # kind, index and data


def checksum(study: str, session: str, text: bytes) -> str:
    """16 hexadecimal digits of SHA-256 over an event's text, with its stream's name."""
    name = f"{study}/{session}\n".encode("utf-8", "replace")
    return hashlib.sha256(name + text).hexdigest()[:16]


def event_text(kind: str, index: int, data: str) -> bytes:
    """An event as JSON, of which the checksum is taken; `data` is JSON already."""
    kind = json.dumps(kind, ensure_ascii=False)
    return f'{{"kind": {kind}, "index": {index}, "data": {data}}}'.encode()


def line(study: str, session: str, kind: str, index: int, data: Fields) -> bytes:
    """An event as a line, without its end."""
    text = event_text(kind, index, json.dumps(data, ensure_ascii=False))
    return text[:-1] + SUM % checksum(study, session, text).encode()


def fields(text: bytes, told: Any, study: str, session: str) -> tuple[Fields, bool]:
    """The fields of a line that was parsed, and whether a checksum vouches for them.

    Raises:
        ValueError: if it is no object, or its checksum is of something else.
    """
    if not isinstance(told, dict):
        raise ValueError("a line must be an object.")
    own = {key: value for key, value in told.items() if key != "sum"}
    if "sum" not in told:
        return own, False
    if told["sum"] != checksum(study, session, text[: -len(SUM % EMPTY)] + b"}"):
        # whoever wrote the file anew may have changed spaces and quotes only
        again = json.dumps(own, ensure_ascii=False).encode()
        if told["sum"] != checksum(study, session, again):
            raise ValueError("the checksum is of another line.")
    return own, True


@dataclass(frozen=True)
class Piece:
    """What stands in a file: an event's fields, or None where it cannot be read."""

    fields: Fields | None
    hint: Fields  # kind and index that a damaged line seems to have


@dataclass(frozen=True)
class Lines:
    """A file, read: its pieces in order, and where and how the next line is to be written."""

    pieces: tuple[Piece, ...]
    cut: bool  # whether the end of the file is missing
    end: int  # byte at which the next line begins
    before: bytes  # what has to stand between


def read(content: bytes, study: str, session: str) -> Lines:
    """The lines of a file; what was not finished at its end counts only if it is whole."""
    *whole, rest = content.split(b"\n")
    pieces, summed = [], False
    for text in whole:
        found = [*_pieces(text, study, session)]
        pieces += [piece for piece, _ in found]
        summed = any(vouched for _, vouched in found)  # of the last line, at the end
    end = len(content) - len(rest)
    finished = _finished(rest, study, session)
    if finished:
        piece, length = finished
        # only the line's end is missing
        return Lines((*pieces, piece), False, end + length, b"\n")
    if content[:end].endswith(LAST):
        return Lines(tuple(pieces), False, end - len(LAST), b"\n")
    cut = summed and content[:end].endswith(b"}\n")
    return Lines(tuple(pieces), cut, end, b"")


def _pieces(text: bytes, study: str, session: str) -> Iterator[tuple[Piece, bool]]:
    """What a line holds: one event, or several whose ends were damaged."""
    try:
        own, vouched = fields(text.rstrip(), json.loads(text), study, session)
        yield Piece(own, {}), vouched
        return
    except (ValueError, TypeError, RecursionError):
        starts = [match.start() for match in BEGINNING.finditer(text)]
    saved = [*filter(None, (_finished(text[at:], study, session) for at in starts))]
    yield from ((piece, True) for piece, _ in saved)
    if len(saved) < len(starts) or not saved:
        yield Piece(None, _hint(text)), False


def _finished(text: bytes, study: str, session: str) -> tuple[Piece, int] | None:
    """An event with a right checksum at the beginning of a text, and its length in bytes."""
    try:
        decoded = text.decode("utf-8", "replace")
        told, length = DECODER.raw_decode(decoded)
        own_text = decoded[:length].encode()
        own, vouched = fields(own_text, told, study, session)
    except (ValueError, TypeError, RecursionError):
        return None
    return (Piece(own, {}), len(own_text)) if vouched else None


def _hint(text: bytes) -> Fields:
    """Kind and index of a damaged line, as far as they can be made out."""
    match = re.search(rb'"kind": "([a-z]{1,32})", "index": (\d{1,6}),', text)
    return {"kind": match[1].decode(), "index": int(match[2])} if match else {}
