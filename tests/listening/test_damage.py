"""One study or session that cannot be read stops no other, and none is stored that could not be."""

import csv
import io
import json
import os
import shutil
import signal
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from listening.small_study import answered, small_study
from starlette.testclient import TestClient

from robustaudio.cli import main
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.session import new_code, session_of
from robustaudio.listening.run.store import STUDY, Event
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback, teacher_routes
from robustaudio.listening.web.listener_routes import application
from robustaudio.serving.limits import Limits


def end_in(hours: float) -> dict:
    at = datetime.now(UTC) + timedelta(hours=hours)
    return {"kind": "expires", "index": 0, "data": {"at": at.isoformat(timespec="seconds")}}


def no_sound(study: dict) -> None:
    study["clips"][0]["sound"] = "data:audio/wav;base64,AAAA"


BROKEN = {
    "no study in it": [end_in(5), {"kind": "open", "index": 0, "data": {}}],
    "a study that is none": [
        end_in(5), {"kind": "open", "index": 0, "data": {"study": {"title": 3}, "sha256": "x"}},
    ],
    "an end that is none": [
        {"kind": "expires", "index": 0, "data": {"at": "soon"}},
        {"kind": "open", "index": 0, "data": {"study": {}, "sha256": "x"}},
    ],
    "an end without its key": [{"kind": "expires", "index": 0, "data": {}}],
    "other types": [{"kind": ["expires"], "index": "0", "data": 3}, [1], 7, None],
    "nested too deeply": ["[" * 100_000],
}  # fmt: skip


def broken_study(folder, lines, name: str = "aaaabroken") -> None:
    """Before all others, by its name."""
    (folder / name).mkdir(parents=True)
    told = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / name / "study.jsonl").write_text("".join(f"{line}\n" for line in told))


def unsummed(line: str) -> dict:
    """A line as older versions wrote it."""
    return {key: value for key, value in json.loads(line).items() if key != "sum"}


@pytest.mark.parametrize("lines", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_study_stops_no_other(tmp_path, capsys, lines):
    room, key = answered(tmp_path)
    broken_study(tmp_path, lines)
    kept = sorted(tmp_path.rglob("*.jsonl"))
    rooms = Host(JsonLinesStore(tmp_path))
    assert room.token in rooms.charters.ends()
    again, _ = rooms.open(small_study(title="Another one"), resume=True)
    assert again.token != room.token
    client = TestClient(application(rooms))
    told = client.get(f"/listen/{room.token}/pooled", headers={"X-Teacher": key}).json()
    assert told["finished"] == 1
    assert client.get("/listen/aaaabroken/study").status_code in (400, 404)
    rooms.close(again.token)
    assert main(["listen", "analyse", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "finished    1" in told.out and "aaaabroken" in told.err
    assert sorted(tmp_path.rglob("*.jsonl")) == kept  # to look changes nothing


def test_a_broken_study_is_named_when_it_is_asked_for(tmp_path, capsys):
    room, _ = answered(tmp_path)
    path = tmp_path / room.token / "study.jsonl"
    lines = [unsummed(line) for line in path.read_text().splitlines()]
    no_sound(next(line for line in lines if line["kind"] == "open")["data"]["study"])
    broken_study(tmp_path, lines)
    rooms = Host(JsonLinesStore(tmp_path))
    sentence = "what is stored of study aaaabroken is damaged: the study cannot be used"
    with pytest.raises(ValueError, match=sentence):
        rooms.find("aaaabroken")
    told = TestClient(application(rooms)).get("/listen/aaaabroken/study")
    assert told.status_code == 400 and sentence in told.json()["error"]
    assert main(["listen", "analyse", str(tmp_path), "--study", "aaaabroken"]) == 2
    assert sentence in capsys.readouterr().err


def test_what_cannot_be_opened_as_a_file_stops_no_other(tmp_path, caplog):
    room, _ = answered(tmp_path)
    (tmp_path / "aaaabroken" / "study.jsonl").mkdir(parents=True)
    (tmp_path / room.token / "bbbb.jsonl").mkdir()
    rooms = Host(JsonLinesStore(tmp_path))
    assert [*rooms.charters.ends()] == [room.token]
    assert feedback.pooled(rooms.find(room.token)).damaged == ("bbbb",)
    assert rooms.open(small_study(title="Another"), resume=True)
    closed, left = rooms.purge()
    assert (closed, left) == ([], ["aaaabroken"])
    assert "aaaabroken cannot be purged" in caplog.text


def test_files_of_other_names_are_not_ours(tmp_path):
    """A copy that somebody made beside the answers, and a folder of their own."""
    room, _ = answered(tmp_path)
    for name in (f"{room.token}/Copy of it.jsonl", "My notes/study.jsonl", "x/study.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    rooms = Host(JsonLinesStore(tmp_path))
    assert rooms.store.studies() == [room.token]
    reading = rooms.find(room.token).reading()
    whole, damaged = reading.sessions, [*reading.damaged]
    assert len(whole) == 1 and damaged == []
    assert rooms.purge() == ([], [])
    assert (tmp_path / "My notes" / "study.jsonl").exists()


def changed(lines: list[dict], kind: str, **data) -> list[dict]:
    return [
        line | {"data": line["data"] | data} if line["kind"] == kind else line for line in lines
    ]


SPOILED = {
    "an answer that no trial offers": lambda lines: changed(lines, "trial", answer=99),
    "an answer without a trial": lambda lines: changed(lines, "trial", trial=None),
    "a condition of another study": lambda lines: [
        line | {"data": line["data"] | {"trial": line["data"]["trial"] | {"condition": "x"}}}
        if line["kind"] == "trial" else line
        for line in lines
    ],
    "no seed": lambda lines: [{"kind": "start", "index": 0, "data": {}}, *lines[1:]],
    "a seed that is none": lambda lines: changed(lines, "start", seed="7"),
    "no beginning": lambda lines: ["\0\0\0", *lines[1:]],
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
@pytest.mark.parametrize("summed", [True, False])
def test_a_broken_session_stops_no_other_and_keeps_its_other_answers(
    tmp_path, capsys, spoil, summed
):
    room, key = Host(JsonLinesStore(tmp_path)).open(small_study())
    simulate(room, [Listener(-40.0), Listener(-30.0)], seed=0)
    bad, good = room.store.sessions(room.token)
    path = tmp_path / room.token / f"{bad}.jsonl"
    read = json.loads if summed else unsummed
    lines = [read(line) for line in path.read_text().splitlines()]
    spoiled = [*spoil(lines)]
    told = (line if isinstance(line, str) else json.dumps(line) for line in spoiled)
    path.write_text("".join(f"{line}\n" for line in told))
    changes = [line for line, other in zip(lines, spoiled, strict=True) if line != other]
    answers = sum(line["kind"] == "trial" for line in lines)
    lost = sum(line["kind"] == "trial" for line in changes)
    found = feedback.pooled(room)
    assert found.damaged == (bad,) and (found.begun, found.finished) == (2, 2)
    assert found.unreadable >= len(changes)
    table = export.tidy(room)
    kept = Counter(row["listener"] for row in table)
    assert kept[bad] == answers - lost and kept[good] > 0
    damaged = {(row["listener"], row["damaged_lines"] > 0) for row in table}
    assert damaged <= {(good, False), (bad, True)}
    assert {row["study_damaged_listeners"] for row in table} == {1}
    are = "is" if found.unreadable == 1 else "are"
    sentence = f"of 1 listener cannot be read or {are} missing: "
    assert sentence + bad in " ".join(teacher_routes.overview(room)["remarks"])
    client = TestClient(application(Host(JsonLinesStore(tmp_path))))
    told = client.get(f"/listen/{room.token}/export/json", headers={"X-Teacher": key}).json()
    assert told["damaged"]["listeners"].keys() == {bad}
    assert main(["listen", "analyse", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "damaged     1" in told.out and f"unreadable  {found.unreadable}" in told.out
    assert sentence + bad in told.err
    assert path.exists()  # nothing is deleted for being damaged


def test_whoever_has_damaged_answers_is_told_and_may_delete_them(tmp_path):
    rooms = Host(JsonLinesStore(tmp_path))
    room, _ = rooms.open(small_study())
    code = new_code()
    name = session_of(code)
    begun = start(room.token, name)
    room.store.append(replace(begun, data={**begun.data, "seed": "7"}))
    client, headers = TestClient(application(rooms)), {"X-Listener": code}
    told = client.get(f"/listen/{room.token}/state", headers=headers)
    assert told.status_code == 400
    assert "what is stored of this session is damaged: seed '7' must be" in told.json()["error"]
    told = client.post(f"/listen/{room.token}/forget", json={}, headers=headers)
    assert told.json() == {"step": "deleted"} and room.store.sessions(room.token) == []
    told = client.post(f"/listen/{room.token}/forget", json={}, headers=headers)
    assert told.status_code == 404 and "no such session" in told.json()["error"]


def test_an_event_of_other_types_is_refused_when_it_is_written(tmp_path):
    for kind, index, data in ((3, 0, {}), ("trial", "0", {}), ("trial", 0, [1])):
        with pytest.raises(ValueError, match="must be str, int and dict"):
            Event("abcd", STUDY, kind, index, data)


def test_the_table_is_one_that_excel_reads_and_runs_nothing(tmp_path, capsys):
    study = small_study(title="'=HYPERLINK(\"http://x\")'", model="{name: '+1 Hörnet'}")
    study = replace(study, title='=HYPERLINK("http://x")')
    room, key = Host(JsonLinesStore(tmp_path)).open(study)
    simulate(room, [Listener(-40.0)], seed=0)
    assert main(["listen", "analyse", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    client = TestClient(application(Host(JsonLinesStore(tmp_path))))
    served = client.get(f"/listen/{room.token}/export/csv", headers={"X-Teacher": key})
    assert served.headers["content-type"] == "text/csv; charset=utf-8"
    for content in (served.content, (tmp_path / "out" / "rows.csv").read_bytes()):
        assert content.startswith(b"\xef\xbb\xbfstudy,")
        table = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
        assert table[0]["study"] == room.token
        assert table[0]["study_title"] == '\'=HYPERLINK("http://x")'
        assert table[0]["model_name"] == "'+1 Hörnet"
        assert float(table[0]["gain_db"]) == -20  # a number is no formula
        cells = {cell for row in table for cell in row.values()}
        assert not {
            c for c in cells if c.startswith(("=", "+", "@")) or (c.startswith("-") and "|" in c)
        }
    plain = json.loads((tmp_path / "out" / "rows.json").read_text())["rows"][0]
    assert plain["study_title"] == '=HYPERLINK("http://x")'


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@A1", "\t=1", "\r=1", "\uff1d1"])
def test_no_text_is_a_formula(start):
    (row,) = csv.DictReader(io.StringIO(export.as_csv([{"study": start, "level_db": -1.5}])))
    assert row["study"].startswith("'") and row["level_db"] == "-1.5"


def no_file(path: Path) -> None:
    path.mkdir()


def nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "gone")


def loop(path: Path) -> None:
    path.symlink_to(path)


def pipe(path: Path) -> None:
    os.mkfifo(path)


NO_FILES = {"a folder": no_file, "a link to nothing": nowhere, "a loop": loop, "a pipe": pipe}


@pytest.fixture
def in_time():
    """Whatever waits for a pipe fails."""

    def late(*_):
        raise TimeoutError("the test takes too long")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES.keys())
@pytest.mark.parametrize("replaces", [True, False])
def test_a_listeners_file_that_is_none_is_counted_and_stops_nobody(
    tmp_path, capsys, in_time, make, replaces
):
    room, key = answered(tmp_path)
    simulate(room, [Listener(-30.0)], seed=1)
    names = room.store.sessions(room.token)
    bad, kept = (names[0], names[1:]) if replaces else ("bbbbcccc", names)
    path = tmp_path / room.token / f"{bad}.jsonl"
    path.unlink(missing_ok=True)
    make(path)
    rooms = Host(JsonLinesStore(tmp_path), Limits())
    rooms.store._claimed = True  # the lock is this process's already
    client, headers = TestClient(application(rooms)), {"X-Teacher": key}
    for _ in range(2):
        told = client.post(f"/listen/{room.token}/start", json={"agreed": True})
        assert told.status_code == 200
        told = client.get(f"/listen/{room.token}/pooled", headers=headers).json()
        assert told["damaged"] == [bad] and told["finished"] == len(kept)
    assert rooms.purge() == ([], [])
    assert main(["listen", "analyse", str(tmp_path)]) == 0
    assert f"1 listener cannot be read or is missing: {bad}" in capsys.readouterr().err
    assert os.path.lexists(path)


def lock(monkeypatch, folder: Path) -> None:
    """What a folder of mode 000 is to anybody but root."""

    def locked(function, is_inside):
        def call(path, *arguments, **options):
            if is_inside(Path(path)):
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "listdir", locked(os.listdir, lambda path: path == folder))
    for name in ("lstat", "stat", "open"):
        inside = locked(getattr(os, name), lambda path: folder in path.parents)
        monkeypatch.setattr(os, name, inside)


def test_a_studys_folder_that_is_locked_is_named_and_stops_no_other(
    tmp_path, capsys, caplog, monkeypatch
):
    room, _ = answered(tmp_path)
    broken_study(tmp_path, [end_in(5)])
    with monkeypatch.context() as meanwhile:
        lock(meanwhile, tmp_path / "aaaabroken")
        rooms = Host(JsonLinesStore(tmp_path))
        assert rooms.purge() == ([], ["aaaabroken"])
        assert "study aaaabroken cannot be purged: [Errno 13]" in caplog.text
        assert [*rooms.charters.ends()] == [room.token] and rooms.charters.quarantined() == [
            "aaaabroken"
        ]
        told = TestClient(application(rooms)).get("/listen/aaaabroken/study")
        assert told.status_code == 503 and str(tmp_path) not in told.text
        assert main(["listen", "analyse", str(tmp_path)]) == 0
        assert "study aaaabroken is left out: [Errno 13]" in capsys.readouterr().err


def test_a_store_that_is_locked_is_not_an_empty_one(tmp_path, capsys, monkeypatch):
    answered(tmp_path)
    with monkeypatch.context() as meanwhile:
        lock(meanwhile, tmp_path)
        for verb in ("analyse", "purge"):
            code = main(["listen", verb, str(tmp_path)])
            told = capsys.readouterr()
            assert code == 2 and f"{tmp_path}: permission denied" in told.err


def test_a_folder_that_is_called_like_no_study_is_named_once(tmp_path, capsys, caplog):
    room, _ = answered(tmp_path)
    study = tmp_path / room.token
    for name in (f"{room.token} (copy)", room.token.upper()):
        shutil.copytree(study, tmp_path / name)
    (tmp_path / "Sounds").mkdir()
    (tmp_path / "Sounds" / "a.wav").touch()
    shutil.copytree(study, tmp_path / ".trash")
    rooms = Host(JsonLinesStore(tmp_path))
    assert rooms.store.others() == [room.token.upper(), f"{room.token} (copy)"]
    for _ in range(3):
        assert rooms.purge() == ([], [])
    assert caplog.text.count("is not read, for no study is called so") == 2
    assert main(["listen", "analyse", str(tmp_path)]) == 0
    told = capsys.readouterr().err
    assert f"'{room.token} (copy)' lies among the answers and is not read" in told
    assert ".trash" not in told and "Sounds" not in told


def test_a_copy_beside_the_answers_is_named_whatever_its_name_is(tmp_path):
    room, key = answered(tmp_path)
    for name in (b"aaaa.jsonl.bak", b"Caf\xe9.jsonl"):
        Path(os.fsdecode(os.fsencode(tmp_path / room.token) + b"/" + name)).touch()
    client = TestClient(application(Host(JsonLinesStore(tmp_path))))
    told = client.get(f"/listen/{room.token}/pooled", headers={"X-Teacher": key})
    assert r"no listener is called so: Caf\udce9.jsonl, aaaa.jsonl.bak." in told.json()["damage"]
