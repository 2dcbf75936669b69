"""Tests that visitors open: a few each, and room is made of those that nobody takes."""

import pytest
from listening.run.test_admission import begins, passes
from listening.small_study import small_study

from robustaudio.listening.run import host
from robustaudio.listening.run.host import Host, NoStudy
from robustaudio.listening.run.openings import Openings
from robustaudio.listening.run.store import MemoryStore
from robustaudio.serving.limits import PRIVATE, Limits, Visitor

ME, ANOTHER_TAB = Visitor("one", "203.0.113.7"), Visitor("two", "203.0.113.7")
STUDY = small_study()


def visitor(number: int) -> Visitor:
    return Visitor(f"session {number}", f"203.0.113.{number}")


@pytest.fixture
def rooms() -> Host:
    return Host(MemoryStore(), Limits())


def test_a_visitor_has_three_open_and_an_address_twelve(rooms):
    mine = [rooms.open(STUDY, visitor=ME)[0] for _ in range(3)]
    for demo in (False, True):
        with pytest.raises(ValueError, match="you have 3 listening tests open, which is the most"):
            rooms.open(STUDY, visitor=ME, demo=demo)
    for number in range(9):
        rooms.open(STUDY, demo=True, visitor=Visitor(f"tab {number}", ME.address))
    with pytest.raises(ValueError, match="12 listening tests are open from your network address"):
        rooms.open(STUDY, visitor=ANOTHER_TAB)
    rooms.open(STUDY, visitor=visitor(8))  # others can
    rooms.close(mine[0].token)
    rooms.open(STUDY, visitor=ME)


def test_two_hundred_openings_of_one_visitor_leave_room_for_others(rooms):
    for number in range(200):
        try:
            rooms.open(STUDY, visitor=Visitor(f"made up {number}", ME.address))
        except ValueError as error:
            assert "from your network address" in str(error)
    assert len(rooms.store.studies()) == 12
    rooms.open(STUDY, visitor=visitor(1))


def test_the_oldest_unused_one_makes_room_and_never_one_that_was_taken(rooms, monkeypatch):
    monkeypatch.setattr(host, "MOST_STUDIES", 4)
    own = rooms.open(STUDY)[0]  # whoever owns the machine
    taken, *unused = [rooms.open(STUDY, visitor=visitor(n))[0] for n in range(3)]
    passes(taken, taken.begin(True)["code"])
    begins(unused[0], 5)  # that is not taking it
    newest = rooms.open(STUDY, visitor=visitor(9))[0]
    assert {*rooms.store.studies()} == {r.token for r in (own, taken, unused[1], newest)}
    with pytest.raises(NoStudy):
        rooms.find(unused[0].token)
    for room in (unused[1], newest):
        passes(room, room.begin(True)["code"])
    with pytest.raises(ValueError, match="4 studies are open here, which is the most"):
        rooms.open(STUDY, visitor=visitor(10))


def test_what_is_left_of_an_earlier_start_makes_room_last(monkeypatch):
    monkeypatch.setattr(host, "MOST_STUDIES", 2)
    store = MemoryStore()
    before = Host(store, Limits()).open(STUDY, visitor=ME)[0]
    rooms = Host(store, Limits())
    known = rooms.open(STUDY, visitor=ME)[0]
    rooms.open(STUDY, visitor=ME)
    assert known.token not in store.studies() and before.token in store.studies()


def test_on_a_private_machine_nothing_makes_room(monkeypatch):
    monkeypatch.setattr(host, "MOST_STUDIES", 4)
    rooms = Host(MemoryStore(), PRIVATE)
    opened = [rooms.open(STUDY, visitor=ME)[0].token for _ in range(4)]
    with pytest.raises(ValueError, match="which is the most"):
        rooms.open(STUDY, visitor=ME)
    rooms._openings._clock = lambda: 1e12
    rooms.drop_unused()
    assert {*rooms.store.studies()} == {*opened}


def test_an_unused_test_ends_after_an_hour(rooms):
    now = [0.0]
    rooms._openings = Openings(rooms.limits, lambda: now[0])
    own = rooms.open(STUDY)[0]
    taken, unused = (rooms.open(STUDY, visitor=ME)[0] for _ in range(2))
    passes(taken, taken.begin(True)["code"])
    begins(unused, 2)
    now[0] = 3_599
    rooms.drop_unused()
    assert len(rooms.store.studies()) == 3
    now[0] = 3_600
    rooms.drop_unused()
    assert {*rooms.store.studies()} == {own.token, taken.token}
    now[0] = 1e9
    rooms.drop_unused()
    assert {*rooms.store.studies()} == {own.token, taken.token}


def test_who_opened_what_is_not_stored():
    rooms = Host(MemoryStore(), Limits())
    room, _ = rooms.open(STUDY, visitor=Visitor("a session's hash", "203.0.113.7"))
    stored = repr(rooms.store.__dict__)
    assert room.token in stored and "203.0.113.7" not in stored and "hash" not in stored
