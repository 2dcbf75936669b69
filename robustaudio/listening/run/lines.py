"""Lines of a stream's file: each holds its checksum, and the last one shows that none was cut off.

A line is JSON with the keys kind, index, data and sum. The file's last line has a space before its
end, which the next line overwrites: a file that was cut between two lines lacks it. Lines without a
sum were written by older versions; they are read as they are, unless one with a sum comes before.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LAST = b" \n"  # ends the last line
SUM = b', "sum": "%b"}'
EMPTY = b"0" * 16  # as long as a checksum
EVENT = b'{"kind": '  # begins each
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
    """The lines of a file; an event that was not finished at its end is none yet."""
    *whole, rest = content.split(b"\n")
    found = [piece for text in whole for piece in _pieces(text, study, session)]
    end = len(content) - len(rest)
    finished = _finished(rest, study, session)
    if finished and not rest[finished[1] :].strip():
        # of the line's end, its newline at least is missing
        complete = rest[finished[1] :].startswith(b" ")
        found.append((finished[0], True))
        return Lines(_only(found), not complete, end + finished[1], b"\n")
    if not rest or _is_begun(rest):  # the next event is written over what was only begun
        if content[:end].endswith(LAST):
            return Lines(_only(found), False, end - len(LAST), b"\n")
        complete = not rest and content.rstrip(b"\r\n").endswith(b" ")
        return Lines(_only(found), _cut(found, complete), end, b"")
    found += _pieces(rest, study, session)  # a line whose end was damaged: nothing is written on it
    return Lines(_only(found), _cut(found, rest.endswith(b" ")), len(content), b"\n")


def _only(found: Sequence[tuple[Piece, bool]]) -> tuple[Piece, ...]:
    """The pieces; behind one with a checksum, those without are damaged."""
    pieces, summed = [], False
    for piece, vouched in found:
        summed |= vouched
        damaged = summed and not vouched and piece.fields is not None
        pieces.append(Piece(None, _hint_of(piece)) if damaged else piece)
    return tuple(pieces)


def _cut(found: Sequence[tuple[Piece, bool]], complete: bool) -> bool:
    """Whether a file ends too early: older versions did not mark the end."""
    return bool(found) and found[-1][1] and not complete


def _is_begun(text: bytes) -> bool:
    """Whether a text is an event that somebody was writing, and that nothing else stands in."""
    begins = text.startswith(EVENT) or EVENT.startswith(text)
    return begins and text.count(EVENT) < 2 and b"\0" not in text


def _pieces(text: bytes, study: str, session: str) -> list[tuple[Piece, bool]]:
    """What a line holds: one event, or several whose ends were damaged; nothing if it is blank."""
    if not text.strip():
        return []
    try:
        own, vouched = fields(text.rstrip(), json.loads(text), study, session)
        return [(Piece(own, {}), vouched)]
    except (ValueError, TypeError, RecursionError):
        pass
    pieces, read_up_to, unread = [], 0, b""
    for match in re.finditer(re.escape(EVENT), text):
        finished = _finished(text[match.start() :], study, session)
        if finished and match.start() >= read_up_to:
            unread += text[read_up_to : match.start()]
            read_up_to = match.start() + finished[1]
            pieces.append((finished[0], True))
    unread += text[read_up_to:]
    return [*pieces, (Piece(None, _hint(unread)), False)] if unread.strip() else pieces


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


def _hint_of(piece: Piece) -> Fields:
    """The same of an event that was read."""
    told = piece.fields or {}
    return {key: told[key] for key in ("kind", "index") if key in told}
