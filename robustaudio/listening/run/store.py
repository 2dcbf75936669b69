"""Where answers go: an append-only log of events, one stream per listener, durable per event.

A stream is named by a study's token and a session; the study's own facts stand in its stream
`STUDY`. An event is stored once: the same (study, session, kind, index) a second time is refused
quietly, so that an answer which a browser sends again counts once. Nothing else is kept: no
address, no browser, no time finer than the hour that the event itself carries.

Every event is stored with a checksum. What cannot be read, or was changed, comes back as an event
of the kind `DAMAGED`, so that whoever reads can count it; nothing is deleted for being damaged.
"""

import hashlib
import json
import re
import threading
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

FOLDER = "runs/listening"  # where answers go, unless told otherwise
FORMS = "a folder, sqlite:///FILE, postgresql+psycopg://USER@HOST/NAME or hub://OWNER/DATASET"
STUDY = "study"  # name of the stream that is about the study itself
DAMAGED = "damaged"  # kind of what stands for a line that can no longer be read
NAME = re.compile(r"[a-z0-9]{4,64}")


class NotWritable(ValueError):
    """A folder that this process may not write to: its words are for whoever owns the folder."""


@dataclass(frozen=True)
class Event:
    """One fact: `kind` and `index` say which one of its stream it is, `data` is JSON.

    Raises:
        ValueError: for other types, which a damaged line may hold.
    """

    study: str
    session: str
    kind: str
    index: int = 0
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        types = type(self.kind), type(self.index), type(self.data)
        if types != (str, int, dict):
            shown = ", ".join(kind.__name__ for kind in types)
            raise ValueError(f"kind, index and data must be str, int and dict, not {shown}.")

    @property
    def key(self) -> tuple[str, int]:
        """What makes the event the one it is within its stream."""
        return self.kind, self.index

    @property
    def text(self) -> str:
        """The event as JSON, without the name of its stream."""
        fields = {"kind": self.kind, "index": self.index, "data": self.data}
        return json.dumps(fields, ensure_ascii=False)

    @property
    def checksum(self) -> str:
        """16 hexadecimal digits of SHA-256 over the text, with the name of the stream.

        Raises:
            ValueError: for text that no encoding can write.
        """
        named = f"{self.study}/{self.session}\n{self.text}"
        return hashlib.sha256(named.encode()).hexdigest()[:16]


class Store(Protocol):
    """What every backend does; streams and events come back in the order they were appended."""

    kept: str  # where answers are, as listeners are told before they consent
    trouble: str = ""  # a sentence if the whole store is damaged, so that streams may be missing

    def append(self, event: Event) -> bool:
        """Keep the event for good before it returns; False if it was there already."""
        ...

    def read(self, study: str, session: str) -> list[Event]:
        """The stream's events; none for a stream that nobody began."""
        ...

    def studies(self) -> list[str]:
        """Those whose own stream is there."""
        ...

    def orphans(self) -> list[str]:
        """Names of studies of which listeners' streams are there, but not their own."""
        ...

    def deleted(self) -> set[str]:
        """Studies that were deleted here: what comes in of them later is to go too."""
        ...

    def sessions(self, study: str) -> list[str]:
        """The listeners' streams, without the study's own."""
        ...

    def strays(self, study: str) -> list[str]:
        """What lies among the answers and is not read, for no listener is called so."""
        return []

    def others(self) -> list[str]:
        """What lies among the studies and is not read, for no study is called so."""
        return []

    def delete(self, study: str, session: str | None = None) -> None:
        """Forget a listener, or with None the whole study; it is gone for good on return."""
        ...

    def stamp(self, study: str, session: str) -> Hashable:
        """What changes when anything is stored in a stream; None if unknown."""
        ...

    def stamps(self, study: str) -> dict[str, Hashable]:
        """`sessions`, each with its stamp."""
        ...


class MemoryStore(Store):
    """Keeps everything until the process ends, and nothing after it: for demonstrations."""

    kept = "on no disk: in the server's memory, until the study ends or the server stops"

    def __init__(self) -> None:
        self._studies: dict[str, dict[str, list[Event]]] = {}  # by study and session
        self._deleted: set[str] = set()
        self._lock = threading.Lock()

    def append(self, event: Event) -> bool:
        with self._lock:
            stream = self._studies.setdefault(event.study, {}).setdefault(event.session, [])
            if any(event.key == known.key for known in stream):
                return False
            stream.append(event)
            return True

    def read(self, study: str, session: str) -> list[Event]:
        with self._lock:
            return [*self._studies.get(study, {}).get(session, ())]

    def studies(self) -> list[str]:
        with self._lock:
            return sorted(name for name, streams in self._studies.items() if STUDY in streams)

    def orphans(self) -> list[str]:
        with self._lock:
            return sorted(name for name, streams in self._studies.items() if STUDY not in streams)

    def deleted(self) -> set[str]:
        return {*self._deleted}

    def sessions(self, study: str) -> list[str]:
        return [*self.stamps(study)]

    def delete(self, study: str, session: str | None = None) -> None:
        with self._lock:
            if session is None:
                self._deleted.add(study)
                self._studies.pop(study, None)
            elif streams := self._studies.get(study):
                streams.pop(session, None)
                if not streams:
                    del self._studies[study]

    def stamp(self, study: str, session: str) -> Hashable:
        with self._lock:
            return len(self._studies.get(study, {}).get(session, ())) or None

    def stamps(self, study: str) -> dict[str, Hashable]:
        with self._lock:
            streams = self._studies.get(study, {})
            return {name: len(events) for name, events in streams.items() if name != STUDY}


def once(events: Iterable[Event]) -> Iterator[Event]:
    """Every event once; another one under the same key is damaged."""
    known: dict[tuple[str, int], Event] = {}
    for number, event in enumerate(events):
        first = known.setdefault(event.key, event)
        if first is event or event.kind == DAMAGED:
            yield event
        elif first.data != event.data:
            yield Event(event.study, event.session, DAMAGED, number)


def checked(name: str) -> str:
    """The name of a study or session, which becomes part of a path.

    Raises:
        ValueError: for anything but 4 to 64 small letters and digits.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} names no study or session: 4 to 64 of a-z and 0-9 would.")
    return name
