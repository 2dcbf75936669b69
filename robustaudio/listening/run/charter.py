"""A study's own stream: what was opened, until when, whose keys open it, and whether it is closed.

The end stands twice, in two events, so that one damaged line does not hide it. Where a later end
may stand among what cannot be read, the study is neither open nor deleted.
"""

import hashlib
import secrets
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from robustaudio.listening.run.store import DAMAGED, NAME, STUDY, Event, MemoryStore, Store

COPIES = 2  # of the end, and of the closing
OTHERS = ("open", "teacher")  # kinds that say nothing of the end
NEVER = datetime.max.replace(tzinfo=UTC)
HOUR = "%Y-%m-%dT%HZ"  # of events


@dataclass(frozen=True)
class Charter:
    """A study's own facts, as far as they can be read."""

    opened: bool
    sha256: Any  # digest of the study
    end: datetime | None  # the last one that can be read
    closed: bool  # for good: what is left of it is to be deleted
    keys: tuple[str, ...]  # hashes
    damaged: int  # lines that cannot be read
    doubtful: bool  # whether there may have been another end

    @classmethod
    def read(cls, events: Sequence[Event]) -> "Charter":
        """The charter of a study, from its stream."""
        ends = [(e.index, place, at) for place, e in enumerate(events) if (at := _end(e))]
        damaged = sum(event.kind == DAMAGED or _is_no_end(event) for event in events)
        end, doubtful = None, damaged > 0
        if ends:
            _, last, end = max(ends)
            unknown = [event for event in events[last + 1 :] if _may_be_end(event)]
            cut = any(event.data.get("cut") for event in unknown)
            doubtful = cut or len(unknown) > ("copies" in events[last].data)
        data = {event.kind: event.data for event in reversed(events)}  # the first of each kind
        return cls(
            "open" in data,
            data.get("open", {}).get("sha256"),
            end,
            "closed" in data,
            tuple(str(event.data.get("sha256")) for event in events if event.kind == "teacher"),
            damaged,
            doubtful,
        )

    @property
    def certain(self) -> bool:
        """Whether it can be read when the study ends."""
        return self.end is not None and not self.doubtful


class Charters:
    """The streams of all studies of a store, and of those in memory beside it."""

    def __init__(self, store: Store) -> None:
        self.store, self.demo = store, MemoryStore()
        self._read: dict[str, tuple[Hashable, Charter]] = {}  # by what tells when a stream changes

    def store_of(self, token: str) -> Store:
        """Where the answers to a study are."""
        return self.demo if token in self.demo.studies() else self.store

    def charter(self, token: str) -> Charter:
        """The charter of a study; an empty one for what is no token."""
        if not NAME.fullmatch(token):
            return Charter.read(())
        store = self.store_of(token)
        stamp = store.stamp(token, STUDY)
        known, charter = self._read.get(token, (None, None))
        if charter is None or stamp is None or known != stamp:
            charter = Charter.read(store.read(token, STUDY))
            if store.trouble:  # an end that came later may be among what is missing
                charter = replace(charter, doubtful=True)
            if charter.opened:
                self._read[token] = stamp, charter
        return charter

    def forget(self, token: str) -> None:
        """Drop what was read of a study that is gone."""
        self._read.pop(token, None)

    def note(self, event: Event, store: Store | None = None) -> None:
        """Add a fact to a study, after all that can be read of this kind."""
        store = store or self.store_of(event.study)
        events = store.read(event.study, STUDY)
        index = max((known.index + 1 for known in events if known.kind == event.kind), default=0)
        while not store.append(replace(event, index=index)):
            index += 1

    def new_key(self, token: str) -> str:
        """A key that opens the teacher's page; the store keeps its hash."""
        key = secrets.token_urlsafe(18)
        self.note(Event(token, STUDY, "teacher", 0, {"sha256": _hash(key)}))
        return key

    def is_key(self, token: str, key: str) -> bool:
        """Whether a key opens the teacher's page of a study."""
        known = (stored.encode() for stored in self.charter(token).keys)
        return any(secrets.compare_digest(_hash(key).encode(), stored) for stored in known)

    def move_end(self, store: Store, token: str, end: datetime) -> None:
        """Write a study's new end, twice."""
        data = {"at": end.isoformat(timespec="seconds"), "copies": COPIES}
        for _ in range(COPIES):
            self.note(Event(token, STUDY, "expires", 0, data), store)

    def agreed_before(self, token: str, end: datetime) -> bool:
        """Whether listeners have agreed to an end that comes before this one."""
        agreed = self.charter(token).end
        return bool(agreed and agreed < end and self.store_of(token).sessions(token))

    def ends(self) -> dict[str, datetime]:
        """When each study of the store ends or ended, by its token, where that is certain."""
        ends = {}
        for token, charter in self._all():
            if charter and charter.closed:
                ends[token] = min(charter.end or NEVER, datetime.now(UTC))
            elif charter and charter.end and not charter.doubtful:
                ends[token] = charter.end
        return ends

    def quarantined(self) -> list[str]:
        """Studies of which nobody can say when they end, and which are kept for that."""
        return [
            token
            for token, charter in self._all()
            if charter is None or not (charter.closed or charter.certain)
        ]

    def _all(self) -> Iterator[tuple[str, Charter | None]]:
        """The studies of the store with their charters; None for what cannot be read."""
        for token in self.store.studies():
            try:
                yield token, self.charter(token)
            except (OSError, ValueError):
                yield token, None

    def newest_s(self, tokens: Sequence[str]) -> float | None:
        """When the newest event of these studies was, in seconds since 1970, to the hour."""
        return max((hour for token in tokens for hour in self._hours(token)), default=None)

    def _hours(self, token: str) -> Iterator[float]:
        """When a study's events were; nothing where they cannot be read."""
        store = self.store_of(token)
        with suppress(OSError, ValueError):
            for name in (STUDY, *store.sessions(token)):
                with suppress(OSError, ValueError):
                    yield from filter(None, map(_hour, store.read(token, name)))


def _hour(event: Event) -> float | None:
    with suppress(KeyError, TypeError, ValueError):
        return datetime.strptime(event.data["hour"], HOUR).replace(tzinfo=UTC).timestamp()
    return None


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


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
