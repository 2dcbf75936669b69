"""A study's own stream: its end stands twice, and no damage moves it."""

import logging
from contextlib import suppress

import pytest
from listening.over_http import Listener
from listening.small_study import expired, small_study
from starlette.testclient import TestClient

from robustaudio.cli import main
from robustaudio.listening.run.host import Host, Quarantined
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.simulated_listeners import Listener as Simulated
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web.listener_routes import application


def test_nothing_is_open_without_an_end(tmp_path, monkeypatch):
    """Whatever line is the last one that reaches the disk, the study still ends."""
    for survived in range(4):
        rooms, append = Host(JsonLinesStore(tmp_path / str(survived))), JsonLinesStore.append
        lines = iter(range(survived))

        def killed(store, event, lines=lines, append=append):
            next(lines)
            return append(store, event)

        with monkeypatch.context() as until, suppress(StopIteration):
            until.setattr(JsonLinesStore, "append", killed)
            rooms.open(small_study(), hours=1)
        (_,) = rooms.store.studies() or [None]
        assert len(rooms.charters.ends()) == min(survived, 1)


@pytest.mark.parametrize("line", range(4))
def test_a_damaged_line_of_a_study_moves_no_end(rooms, tmp_path, line):
    """Two ends, the study, a key: whichever is lost, the answers stay until the end."""
    room, _ = rooms.open(small_study())
    Listener(rooms, room.token).begin()
    path = tmp_path / room.token / "study.jsonl"
    lines = path.read_bytes().splitlines()
    lines[line] = lines[line][:20] + b"\0" * 20
    path.write_bytes(b"\n".join(lines) + b"\n")
    later = Host(JsonLinesStore(tmp_path))
    assert later.charters.ends() == {room.token: room.expires.replace(microsecond=0)}
    assert later.purge() == ([], [])
    expired(tmp_path, room.token)
    assert later.purge() == ([room.token], [])
    assert list(tmp_path.rglob("*.jsonl")) == []


def spoiled(folder, token: str, *kinds: str) -> None:
    """Every line of these kinds in a study's stream is zeroed."""
    path = folder / token / "study.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    names = [f'"kind": "{kind}"'.encode() for kind in kinds]
    path.write_bytes(
        b"".join(
            bytes(len(line) - 1) + b"\n" if any(name in line for name in names) else line
            for line in lines
        )
    )


def test_a_study_without_an_end_that_can_be_read_is_its_owners(tmp_path, caplog, capsys):
    room, key = Host(JsonLinesStore(tmp_path)).open(small_study())
    simulate(room, [Simulated(-40.0)], seed=0)
    spoiled(tmp_path, room.token, "expires")
    rooms = Host(JsonLinesStore(tmp_path))
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert rooms.purge() == ([], [])
    assert caplog.text.count("can no longer be read") == 1  # not every minute
    with pytest.raises(Quarantined, match="closed to listeners, and its answers are kept until"):
        rooms.find(room.token)
    client = TestClient(application(rooms))
    base, headers = f"/listen/{room.token}", {"X-Teacher": key}
    for answer in (client.get(f"{base}/study"), client.post(f"{base}/start", json={})):
        assert answer.status_code == 400 and "can no longer be read" in answer.json()["error"]
    told = client.get(f"{base}/pooled", headers=headers).json()
    assert told["finished"] == 1 and told["expires"] is None and told["closed"]
    assert "2 lines of the study itself cannot be read." in told["remarks"]
    assert client.get(f"{base}/pooled", headers={"X-Teacher": "x"}).status_code == 403
    assert client.get(f"{base}/export/csv", headers=headers).status_code == 200
    refused = client.post(f"{base}/expire", headers=headers, json={"hours": 1})
    assert refused.status_code == 400 and "take the answers along" in refused.json()["error"]
    assert main(["listen", "analyse", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "finished    1" in told.out and "can no longer be read" in told.err
    assert main(["listen", "purge", str(tmp_path)]) == 0
    assert room.token in capsys.readouterr().out and rooms.store.studies() == [room.token]
    assert main(["listen", "purge", str(tmp_path), "--study", room.token]) == 0
    assert not list(tmp_path.rglob("*.jsonl"))
    assert main(["listen", "purge", str(tmp_path), "--study", room.token]) == 2


def test_one_copy_of_the_end_is_enough(tmp_path):
    rooms = Host(JsonLinesStore(tmp_path))
    room, _ = rooms.open(small_study(), hours=1)
    rooms.expire(room.token, 5)
    path = tmp_path / room.token / "study.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        flipped = bytearray(line)
        flipped[len(line) // 2] ^= 1
        path.write_bytes(b"".join([*lines[:number], bytes(flipped), *lines[number + 1 :]]))
        ends = Host(JsonLinesStore(tmp_path)).charters.ends()
        assert ends == {room.token: room.expires.replace(microsecond=0)}


def test_a_later_end_that_is_lost_does_not_bring_back_the_earlier_one(tmp_path):
    """Both copies of a moved end are gone: it ends neither at the old time nor ever, unasked."""
    rooms = Host(JsonLinesStore(tmp_path))
    room, _ = rooms.open(small_study(), hours=1)
    rooms.expire(room.token, 5)
    path = tmp_path / room.token / "study.jsonl"
    *lines, _, _ = path.read_bytes().splitlines(keepends=True)
    for rest in (b"\0" * 90 + b"\n" + b"\0" * 90 + b"\n", b"", b'{"kind": "exp'):
        path.write_bytes(b"".join(lines) + rest)
        later = Host(JsonLinesStore(tmp_path))
        assert later.charters.ends() == {} and later.charters.quarantined() == [room.token]
        assert later.purge() == ([], [])
