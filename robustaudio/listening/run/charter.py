"""What a study's own stream says: what was opened, until when, and whose keys open it.

The end stands twice, in two events, so that one damaged line does not hide it. Where a later end
may stand among what cannot be read, the study is neither open nor deleted.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from robustaudio.listening.run.store import DAMAGED, STUDY, Event

COPIES = 2  # of the end, and of the closing
OTHERS = ("open", "teacher")  # kinds that say nothing of the end


@dataclass(frozen=True)
class Charter:
    """A study's own facts, as far as they can be read."""

    opened: dict[str, Any] | None  # the study's record and digest
    end: datetime | None  # the last one that can be read
    closed: bool  # for good: what is left of it is to be deleted
    keys: tuple[str, ...]  # hashes
    damaged: int  # lines that cannot be read
    doubtful: bool  # whether there may have been another end


def charter(events: Sequence[Event]) -> Charter:
    """The charter of a study, from its stream."""
    ends = [(event.index, place, at) for place, event in enumerate(events) if (at := _end(event))]
    damaged = [event.kind == DAMAGED or _is_no_end(event) for event in events]
    if ends:
        _, last, end = max(ends)
        known_copies = int("copies" in events[last].data)  # of this end, or the first of another
        unknown = [event for event in events[last + 1 :] if _may_be_end(event)]
        cut = any(event.data.get("cut") for event in unknown)
        doubtful = cut or len(unknown) > known_copies
    else:
        end, doubtful = None, any(damaged)
    return Charter(
        next((event.data for event in events if event.kind == "open"), None),
        end,
        any(event.kind == "closed" for event in events),
        tuple(str(event.data.get("sha256")) for event in events if event.kind == "teacher"),
        sum(damaged),
        doubtful,
    )


def ends(token: str, end: datetime) -> Event:
    """The first copy of a study's end."""
    return Event(token, STUDY, "expires", 0, {"at": end.isoformat(timespec="seconds"), "copies": 2})


def next_index(events: Sequence[Event], kind: str) -> int:
    """The first index of a kind after all that can be read."""
    return max((event.index + 1 for event in events if event.kind == kind), default=0)


def _end(event: Event) -> datetime | None:
    if event.kind == "expires":
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            return datetime.fromisoformat(event.data["at"]).astimezone(UTC)
    return None


def _is_no_end(event: Event) -> bool:
    """Whether an end cannot be read, although its line can."""
    return event.kind == "expires" and _end(event) is None


def _may_be_end(event: Event) -> bool:
    if event.kind == DAMAGED:
        return event.data.get("kind") not in OTHERS
    return _is_no_end(event)
