"""A stream is read again only when it has changed."""

import pytest
from listening.small_study import answered, small_study

from robustaudio.listening.run.replays import Replays
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.store import Event, MemoryStore


def test_a_stream_that_has_not_changed_is_not_read_again(monkeypatch):
    store, reads = MemoryStore(), []
    read = store.read
    monkeypatch.setattr(store, "read", lambda *stream: reads.append(stream) or read(*stream))
    replays = Replays(small_study(), store, "abcd")
    store.append(start("abcd", "aaaa0001"))
    for _ in range(2):
        assert replays.session("aaaa0001").step == "sound"
        assert [*replays.read(0).sessions] == ["aaaa0001"]
    assert len(reads) == 1
    store.append(Event("abcd", "aaaa0001", "sound", 0, {"sample_rate": 48_000}))
    assert replays.session("aaaa0001").step == "level" and len(reads) == 2


def test_an_answer_that_came_in_while_all_was_deleted_begins_no_session():
    store = MemoryStore()
    store.append(Event("abcd", "aaaa0001", "trial", 0, {"answer": 1}))
    with pytest.raises(LookupError, match="no such session"):
        Replays(small_study(), store, "abcd").session("aaaa0001")
    assert store.sessions("abcd") == []


def test_who_could_not_be_looked_at_is_looked_at_again(tmp_path, monkeypatch):
    """A stamp that nobody knows does not stand for what was read before."""
    room, _ = answered(tmp_path)

    def locked(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("robustaudio.listening.run.json_lines._stamp", locked)
    (before,) = room.sessions().values()
    (name,) = room.store.sessions(room.token)
    path = tmp_path / room.token / f"{name}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    (after,) = room.sessions().values()
    assert len(after.responses) < len(before.responses)
