"""Studies are opened, resumed, and end on time, whichever server looks."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from listening.over_http import Listener
from listening.small_study import expired, small_study

from robustaudio.listening.design import study_file
from robustaudio.listening.design.study import Texts
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import MemoryStore
from robustaudio.listening.simulated_listeners import Listener as Simulated
from robustaudio.listening.simulated_study import simulate


def test_a_study_ends_on_time_and_takes_its_answers_along(listener, tmp_path):
    listener.begin()
    listener.rooms.find(listener.token).expires = datetime.now(UTC) - timedelta(seconds=1)
    gone = listener.get("state")
    assert gone.status_code == 410 and gone.json() == {
        "error": "this study is over; its answers are deleted within minutes.", "study": "closed",
    }  # fmt: skip
    assert listener.get("study").status_code == 410
    expired(tmp_path, listener.token)
    assert listener.rooms.purge() == ([listener.token], [])
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_a_second_server_learns_that_a_study_was_closed(listener, tmp_path, monkeypatch):
    listener.begin()
    other = Listener(Host(JsonLinesStore(tmp_path)), listener.token)
    other.code = listener.code
    assert other.get("state").status_code == 200
    listener.rooms.close(listener.token)
    monkeypatch.setattr("robustaudio.listening.run.host.FRESH_S", 0.0)
    assert other.get("state").status_code == other.post("start").status_code == 410
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_expiry_is_kept_by_the_next_server(listener, tmp_path):
    listener.begin()
    listener.rooms.expire(listener.token, 1e-6)
    time.sleep(0.01)
    Host(JsonLinesStore(tmp_path)).purge()
    assert list(tmp_path.rglob("*.jsonl")) == []


def test_the_end_that_listeners_agreed_to_only_comes_nearer(rooms):
    room, _ = rooms.open(small_study(), hours=1)
    with pytest.raises(ValueError, match="0 hours must be above 0"):
        rooms.expire(room.token, 0)
    rooms.expire(room.token, 5)
    listener = Listener(rooms, room.token)
    listener.begin()
    agreed = room.expires
    with pytest.raises(ValueError, match=f"are deleted at {agreed:%Y-%m-%d %H:%M} UTC; the end"):
        rooms.expire(room.token, 6)
    assert room.expires == agreed
    rooms.expire(room.token, 2)
    assert room.expires < agreed
    listener.post("forget")
    rooms.expire(room.token, 6)  # nobody is left who agreed to anything
    assert room.expires > agreed


def test_hours_move_the_end_of_a_study_that_is_resumed(rooms):
    def resumed(hours: float | None) -> float:
        room, _ = rooms.open(small_study(), hours, resume=True)
        return (room.expires - datetime.now(UTC)) / timedelta(hours=1)

    assert resumed(10) == pytest.approx(10, abs=0.01)
    assert resumed(20) == pytest.approx(20, abs=0.01)
    Listener(rooms, rooms.store.studies()[0]).begin()
    assert resumed(30) == pytest.approx(20, abs=0.01)  # as was agreed
    assert resumed(5) == pytest.approx(5, abs=0.01)
    assert resumed(None) == pytest.approx(5, abs=0.01)
    assert len(rooms.store.studies()) == 1


def half_opened(folder, token: str) -> None:
    (folder / token).mkdir()
    whole = b'{"kind": "open", "index": 0, "data": {"study": {}, "sha256": "", "hour": ""}}\n'
    (folder / token / "study.jsonl").write_bytes(whole)


def torn(folder, token: str) -> None:
    (folder / token).mkdir()
    (folder / token / "study.jsonl").write_bytes(b'{"kind": "expires", "ind')


def test_a_study_that_is_over_or_was_never_opened_gives_way_to_a_new_one(rooms, tmp_path):
    first, _ = rooms.open(small_study(), resume=True)
    half_opened(tmp_path, "half")
    torn(tmp_path, "torn")
    expired(tmp_path, first.token)
    later = Host(JsonLinesStore(tmp_path))
    second, _ = later.open(small_study(), resume=True)
    assert second.token != first.token
    closed, left = later.purge()
    assert {*closed} == {first.token, "half", "torn"} and left == []
    assert later.store.studies() == [second.token]


def test_purging_goes_on_when_the_store_comes_back(rooms, tmp_path, monkeypatch):
    room, _ = rooms.open(small_study())
    expired(tmp_path, room.token)
    tried = threading.Event()

    def away(store):
        tried.set()
        raise OSError("503")

    monkeypatch.setattr("robustaudio.listening.run.host.PURGE_S", 0.01)
    with monkeypatch.context() as trouble:
        trouble.setattr(JsonLinesStore, "studies", away)
        stop = rooms.keep_purging()
        assert tried.wait(10)
    until = time.monotonic() + 10
    while rooms.store.studies() and time.monotonic() < until:
        time.sleep(0.01)
    stop()
    assert rooms.store.studies() == []


def test_a_study_is_resumed_only_when_asked_for(rooms):
    first, key = rooms.open(small_study())
    again, other = rooms.open(small_study(), resume=True)
    another, _ = rooms.open(small_study())
    assert first.token == again.token != another.token
    assert key != other
    assert rooms.charters.is_key(first.token, key) and rooms.charters.is_key(first.token, other)
    assert not rooms.charters.is_key(another.token, key) and not rooms.charters.is_key(
        first.token, ""
    )


def test_no_people_join_simulated_listeners(rooms):
    simulated, _ = rooms.open(small_study())
    simulate(simulated, [Simulated(-40.0)], seed=0)
    real, _ = rooms.open(small_study(), resume=True)
    again, _ = rooms.open(small_study(), resume=True)
    assert simulated.token != real.token == again.token
    assert real.sessions() == {}


def test_a_demonstration_stores_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rooms = Host(JsonLinesStore(tmp_path / "answers"))
    listener = Listener(rooms, rooms.open(small_study(), demo=True)[0].token)
    assert listener.get("study").json()["demo"] is True
    listener.begin()
    assert listener.answer(0).json()["trial"]["number"] == 1
    assert listener.post("forget").json() == {"step": "deleted"}
    assert listener.get("state").status_code == 404
    assert rooms.find(listener.token).sessions() == {}
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": "x" * 121}, "must be text of at most 120 characters"),
        ({"title": "\ud800"}, "surrogates not allowed"),
        ({"expires_h": 10**9}, "expires_h 1000000000 must be a whole number"),
        ({"texts": Texts(about="")}, "texts.about '' must be text"),
        ({"options": {"kind": "abx", "levels_db": [float("nan")]}}, "levels_db nan must be"),
        ({"seed": object()}, "not JSON serializable"),
    ],
)
@pytest.mark.parametrize("demo", [False, True])
def test_a_study_that_could_not_be_read_again_is_not_stored(tmp_path, changes, told, demo):
    rooms = Host(JsonLinesStore(tmp_path / "answers"))
    with pytest.raises(ValueError, match="could not be read again, and is not opened: ") as error:
        rooms.open(replace(small_study(), **changes), hours=1, demo=demo)
    assert told in str(error.value)
    assert rooms.store.studies() == [] and not (tmp_path / "answers").exists()


def test_a_study_whose_sounds_are_too_much_for_its_reader_is_not_stored(monkeypatch):
    """What is too much is told in seconds."""
    rooms = Host(MemoryStore())
    study = small_study()
    monkeypatch.setattr(study_file, "LONGEST", 1_000)
    with pytest.raises(ValueError, match=r"(?s)could not be read again.* last 0 s .* 1000 are"):
        rooms.open(study)
    assert rooms.store.studies() == []
