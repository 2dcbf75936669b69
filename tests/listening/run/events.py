"""What tests of stores share: events, a process that stores many, a far end, patience."""

import threading
import time

from robustaudio.listening.run.store import Event


def eventually(open_it, seconds: float = 20.0):
    """What `open_it` returns once the server behind it is up."""
    until = time.monotonic() + seconds
    while True:
        try:
            return open_it()
        except ValueError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def trial(index: int, session: str = "aaaa0001", study: str = "abcd", **data) -> Event:
    return Event(study, session, "trial", index, data)


class FakeRemote:
    """The far end at its boundary: remembers what was asked of it."""

    def __init__(self) -> None:
        self.lock, self.commits = threading.Lock(), 0

    def trigger(self) -> None:
        self.commits += 1


WRITER = """
import itertools, sys
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import Event
store = open_store(sys.argv[1])
for index in itertools.count():
    store.append(Event("abcd", "aaaa0001", "trial", index, {"filler": "x" * 2000}))
    print(index, flush=True)
"""
