"""Lines of a stream's file: each holds its checksum, and the last one shows that none was cut off.

A line is JSON with the keys kind, index, data and sum. The file's last line has a space before its
end, which the next line overwrites: a file that was cut between two lines lacks it. Lines without a
sum were written by older versions; they are read as they are, unless one with a sum comes before.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from robustaudio.listening.run.store import DAMAGED, Event

LAST = b" \n"  # ends the last line
EVENT = b'{"kind": '  # begins each
HINT = re.compile(rb'"kind": "([a-z]{1,32})", "index": (\d{1,6}),')
DECODER = json.JSONDecoder()
Piece = tuple[Event, bool]  # an event, and whether a checksum vouches for it


def line(event: Event) -> bytes:
    """An event as a line, without its end."""
    return f'{event.text[:-1]}, "sum": "{event.checksum}"}}'.encode()


@dataclass(frozen=True)
class Lines:
    """A file, read: its events in order, and where and how the next line is to be written."""

    events: list[Event]
    cut: list[Event]  # a note, if the end of the file is missing
    end: int  # byte at which the next line begins
    before: bytes  # what has to stand between


@dataclass(frozen=True)
class Reader:
    """Reads the file of one stream; what cannot be read is an event of the kind `DAMAGED`."""

    study: str
    session: str

    def read(self, content: bytes) -> Lines:
        """The lines of a file; an event that was not finished at its end is none yet."""
        *whole, rest = content.split(b"\n")
        pieces = [piece for text in whole for piece in self._pieces(text)]
        end, before = len(content) - len(rest), b"\n"
        event, length = self._finished(rest)
        if event and not rest[length:].strip():  # at least the newline at its end is missing
            pieces.append((event, True))
            end, complete = end + length, rest[length:].startswith(b" ")
        elif rest and not _is_begun(rest):  # a line whose end was damaged: nothing is written on it
            pieces += self._pieces(rest)
            end, complete = len(content), rest.endswith(b" ")
        elif content[:end].endswith(LAST):  # the next event is written over what was only begun
            end, complete = end - len(LAST), True
        else:
            before, complete = b"", not rest and content.rstrip(b"\r\n").endswith(b" ")
        # older versions did not mark the end
        is_cut = bool(pieces) and pieces[-1][1] and not complete
        cut = [self._damaged(len(pieces), {"cut": True})] if is_cut else []
        return Lines(self._events(pieces), cut, end, before)

    def _events(self, pieces: list[Piece]) -> list[Event]:
        """The events; behind one with a checksum, those without are damaged."""
        events, summed = [], False
        for place, (event, vouched) in enumerate(pieces):
            summed |= vouched
            if event.kind == DAMAGED and not vouched:
                event = self._damaged(place, event.data)
            elif summed and not vouched:
                event = self._damaged(place, {"kind": event.kind, "index": event.index})
            events.append(event)
        return events

    def _pieces(self, text: bytes) -> list[Piece]:
        """What a line holds: one event, or several whose ends were damaged; none if it is blank."""
        if not text.strip():
            return []
        try:
            return [self._parsed(json.loads(text))]
        except (ValueError, TypeError, RecursionError):
            pass
        pieces, read_up_to, unread = [], 0, b""
        for match in re.finditer(re.escape(EVENT), text):
            event, length = self._finished(text[match.start() :])
            if event and match.start() >= read_up_to:
                unread += text[read_up_to : match.start()]
                read_up_to = match.start() + length
                pieces.append((event, True))
        unread += text[read_up_to:]
        if unread.strip():
            hint = HINT.search(unread)
            known = {"kind": hint[1].decode(), "index": int(hint[2])} if hint else {}
            pieces.append((self._damaged(0, known), False))
        return pieces

    def _finished(self, text: bytes) -> tuple[Event | None, int]:
        """An event with a right checksum at the beginning of a text, and its length in bytes."""
        try:
            decoded = text.decode("utf-8", "replace")
            record, length = DECODER.raw_decode(decoded)
            event, vouched = self._parsed(record)
        except (ValueError, TypeError, RecursionError):
            return None, 0
        return event if vouched else None, len(decoded[:length].encode())

    def _parsed(self, record: Any) -> Piece:
        """The event of a line; a ValueError or TypeError if it is none or its checksum is wrong."""
        if not isinstance(record, dict):
            raise ValueError("a line must be an object.")
        event = Event(self.study, self.session, **{k: v for k, v in record.items() if k != "sum"})
        if "sum" in record and record["sum"] != event.checksum:
            raise ValueError("the checksum is of another line.")
        return event, "sum" in record

    def _damaged(self, place: int, about: dict[str, Any]) -> Event:
        return Event(self.study, self.session, DAMAGED, place, about)


def _is_begun(text: bytes) -> bool:
    """Whether a text is an event that somebody was writing, and that nothing else stands in."""
    begins = text.startswith(EVENT) or EVENT.startswith(text)
    return begins and text.count(EVENT) < 2 and b"\0" not in text
