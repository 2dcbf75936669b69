"""Whoever merely begins stops nobody: listeners count once the first check is passed."""

import time

import pytest
from listening.small_study import small_study

from robustaudio.listening.run import admission
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.session import new_code, session_of
from robustaudio.listening.run.store import DAMAGED, Event, MemoryStore
from robustaudio.listening.web.feedback import pooled
from robustaudio.serving.limits import Limits

HEARD = {"sample_rate": 48_000, "device": "headphones"}


def passes(room: OpenStudy, code: str) -> None:
    """What a listener's browser sends once the beeps are counted."""
    count = beep_count(room.find(code)[1].check_seed)
    assert room.check(code, "sound", {"beeps": count, **HEARD})["step"] == "level"


def begins(room: OpenStudy, times: int) -> list[str]:
    return [room.begin(True)["code"] for _ in range(times)]


@pytest.fixture(params=["memory", "folder", "sqlite"])
def room(request, tmp_path) -> OpenStudy:
    store = {
        "memory": MemoryStore,
        "folder": lambda: JsonLinesStore(tmp_path),
        "sqlite": lambda: open_store(f"sqlite:///{tmp_path}/answers.db"),
    }[request.param]()
    return Host(store, Limits()).open(small_study())[0]


def test_two_thousand_who_merely_begin_stop_nobody():
    room, _ = Host(MemoryStore(), Limits()).open(small_study())
    begins(room, 2_000)
    listener = room.begin(True)["code"]
    passes(room, listener)
    begins(room, admission.MOST_UNUSED)
    assert room.state(listener)["step"] == "level"
    assert len(room.store.sessions(room.token)) <= admission.MOST_UNUSED + 1


def test_the_teachers_page_stays_quick(room):
    """Also where as many are stored already: who was read is not read again."""
    for _ in range(2_000 if isinstance(room.store, MemoryStore) else 300):
        room.store.append(start(room.token, session_of(new_code())))
    pooled(room)
    reads = []
    read = room.store.read
    room.store.read = lambda *of: reads.append(of) or read(*of)
    begun_at = time.perf_counter()
    assert pooled(room).begun >= 300
    assert time.perf_counter() - begun_at < 0.3 and len(reads) == 0
    passes(room, room.begin(True)["code"])
    reads.clear()
    pooled(room)
    assert len(reads) == 0  # this server has read it already, for the listener


def test_only_who_passed_the_first_check_counts(room, monkeypatch):
    monkeypatch.setattr(admission, "MOST_LISTENERS", 3)
    monkeypatch.setattr(admission, "MOST_UNUSED", 4)
    codes = begins(room, 10)
    assert len(room.store.sessions(room.token)) == 4
    with pytest.raises(LookupError, match="no such session"):
        room.state(codes[0])
    for code in codes[-3:]:
        passes(room, code)
    with pytest.raises(ValueError, match="has had 3 listeners, which is the most"):
        room.begin(True)
    assert all(room.state(code)["step"] == "level" for code in codes[-3:])


def test_who_passed_stays_whoever_looks(room, monkeypatch):
    """Another server on the same store saw the check."""
    monkeypatch.setattr(admission, "MOST_UNUSED", 2)
    first, second = begins(room, 2)
    elsewhere = OpenStudy(room.token, room.study, room.store, room.expires)
    passes(elsewhere, first)
    begins(room, 5)
    assert room.state(first)["step"] == "level"
    with pytest.raises(LookupError):
        room.state(second)


def test_unused_sessions_are_forgotten_after_a_while():
    store, now = MemoryStore(), [0.0]
    looked = admission.Admission(store, "study", 1.0, lambda: now[0])
    names = [session_of(new_code()) for _ in range(3)]
    for name in names:
        looked.admit(start("study", name))
    looked.passed(Event("study", names[0], "sound", 0, HEARD))
    store.append(Event("study", names[1], DAMAGED, 1))  # it may have been an answer
    now[0] = 3_599
    looked.drop_unused()
    assert store.sessions("study") == names
    now[0] = 3_600
    looked.drop_unused()
    assert store.sessions("study") == names[:2]


def test_what_was_there_at_the_start_has_its_hour(room):
    codes = begins(room, 2)
    now = [0.0]
    again = admission.Admission(room.store, room.token, 1.0, lambda: now[0])
    again.drop_unused()
    now[0] = 3_599
    again.drop_unused()
    assert [room.state(code)["step"] for code in codes] == ["sound"] * 2
    now[0] = 3_601
    again.drop_unused()
    assert room.store.sessions(room.token) == []


def test_who_cannot_be_read_makes_no_room_and_stops_nobody(monkeypatch):
    """Neither is a test closed as unused whose listeners cannot be read."""
    monkeypatch.setattr(admission, "MOST_UNUSED", 2)
    room, _ = Host(MemoryStore(), Limits()).open(small_study())
    first, second = map(session_of, begins(room, 2))
    read = room.store.read

    def fails_for_the_first(study, name):
        if name == first:
            raise OSError(5, "Input/output error")
        return read(study, name)

    monkeypatch.setattr(room.store, "read", fails_for_the_first)
    for looked in (room.admission, admission.Admission(room.store, room.token, 1.0)):
        for _ in range(3):
            looked.admit(start(room.token, session_of(new_code())))
        assert first in room.store.sessions(room.token)
    assert second not in room.store.sessions(room.token)
    assert admission.is_taken(room.store, room.token)
