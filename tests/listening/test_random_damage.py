"""Whatever happens to a store: no undamaged answer is lost, and nothing is lost in silence.

Each case damages a copy of one study at random, lets clocks jump, purges, reads, analyses and
exports. Seeds are fixed; `CASES` of a folder and of SQLite, a third of them of PostgreSQL.
"""

import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sql
from listening.run.events import eventually
from listening.small_study import small_study

from robustaudio.listening.run import export, host
from robustaudio.listening.run.clocks import Clocks
from robustaudio.listening.run.database import EVENTS, DatabaseStore
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.store import STUDY
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback, teacher_routes

CASES = 300
YEAR_S = 365 * 86_400.0
Answer = tuple[str, int]  # a listener's name, the number of a trial


@pytest.fixture(autouse=True)
def parsed_once(monkeypatch):
    """The study's sounds are read once for all cases, as long as its record is the same."""
    known = {}

    def study_in(record):
        key = json.dumps(record, sort_keys=True)
        if key not in known:
            known[key] = original(record)
        return known[key]

    original = host.study_in
    monkeypatch.setattr(host, "study_in", study_in)


class Moved:
    """Clocks that somebody sets: a minute passes between two looks, and the time of day jumps."""

    def __init__(self, random: Random, now: float) -> None:
        self.random, self.seconds, self.offset, self.now = random, 0.0, 0.0, now
        self.clocks = Clocks(lambda: self.now + self.seconds + self.offset, lambda: self.seconds)

    def step(self) -> None:
        self.seconds += 60.0
        self.offset = self.random.choice([0.0, 0.0, YEAR_S, -YEAR_S, 3 * YEAR_S, 86_400.0 * 30])


def check(store, token: str, kept: set[Answer], answers: set[Answer], moved: Moved) -> None:
    """Purges, reads, analyses and exports: of all `answers`, those `kept` must come out again.

    Whoever lacks one is named, and where the end of the session is whole, all are counted. An error
    is one sentence.
    """
    try:
        own = Host(store, clocks=moved.clocks)
        for _ in range(moved.random.choice([2, 2, 4])):
            closed, _ = own.purge()
            assert closed == []
            moved.step()
        moved.offset = 0.0
        if token not in store.studies():
            assert token in store.orphans() or not kept
            assert kept <= stored(store, token, kept)
            return
        room = own.find_for_owner(token)
    except (ValueError, OSError) as error:  # the study itself, or the whole database
        assert "\n" not in str(error) and len(str(error)) < 300
        assert kept <= stored(store, token, kept)
        return
    try:
        table = export.tidy(room)
        found = feedback.pooled(room)
        exported = json.loads(export.as_json(room, table))
        assert export.as_csv(table)
        if moved.random.random() < 0.2:
            assert teacher_routes.overview(room)
    except OSError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
        return
    read = Counter((row["listener"], row["trial"]) for row in table)
    assert set(read.values()) <= {1}  # nobody's answer counts twice
    assert kept <= set(read) <= answers
    counted, sessions = exported["damaged"]["listeners"], room.sessions()
    assert counted.keys() == {*found.damaged}
    for name, lost in Counter(name for name, _ in answers - set(read)).items():
        if exported["damaged"]["store"]:  # whole listeners may be missing
            assert exported["damaged"]["store"] in found.damage
            continue
        ended = name in sessions and sessions[name].ended
        assert counted[name] >= (lost if ended else 1)
        assert name in found.damage


def stored(store, token: str, otherwise: set[Answer]) -> set[Answer]:
    """The answers that the store gives back, if it can be read at all."""
    try:
        events = [(n, event) for n in store.sessions(token) for event in store.read(token, n)]
    except OSError:
        return otherwise
    return {(name, event.index) for name, event in events if event.kind == "trial"}


# --- a folder -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A study of three listeners who have finished, and its answers by the lines that hold them."""
    folder = tmp_path_factory.mktemp("template")
    room, _ = Host(JsonLinesStore(folder)).open(small_study())
    simulate(room, [Listener(-40.0), Listener(-30.0), Listener(-20.0)], seed=0)
    return folder / room.token


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def flip(random: Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 8])):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def zero(random: Random, content: bytes) -> bytes:
    start = random.randrange(len(content))
    length = random.choice([1, 16, 64, 512])
    hole = content[start : start + length]
    return content[:start] + bytes(len(hole)) + content[start + len(hole) :]


def truncate(random: Random, content: bytes) -> bytes:
    if random.random() < 0.3:  # between two lines
        lines = lines_of(content)
        return b"".join(lines[: random.randrange(len(lines))])
    return content[: random.randrange(len(content))]


def delete_line(random: Random, content: bytes) -> bytes:
    lines = lines_of(content)
    del lines[random.randrange(len(lines) - 1)]  # the last one leaves no trace
    return b"".join(lines)


def duplicate_line(random: Random, content: bytes) -> bytes:
    lines = lines_of(content)
    lines.insert(random.randrange(len(lines)), random.choice(lines[:-1]))
    return b"".join(lines)


def swap_lines(random: Random, content: bytes) -> bytes:
    lines = lines_of(content)
    random.shuffle(lines)
    return b"".join(lines)


WRONG = [
    {}, [], 7, None, "x", {"kind": 3}, {"kind": "trial"}, {"kind": "trial", "index": "0"},
    {"kind": "trial", "index": -1, "data": {}}, {"kind": "trial", "index": 10**30, "data": {}},
    {"kind": "start", "index": 0, "data": {"seed": "7"}},
    {"kind": "end", "index": 0, "data": {"answers": "many"}},
    {"kind": "level", "index": 0, "data": {"gain_db": [1]}},
    {"kind": "expires", "index": 0, "data": {"at": 3}},
    {"kind": "sound", "index": 0, "data": None}, {"kind": "screening", "index": 10**9, "data": {}},
]  # fmt: skip


def wrong_types(random: Random, content: bytes) -> bytes:
    lines = lines_of(content)
    lines[random.randrange(len(lines))] = json.dumps(random.choice(WRONG)).encode() + b"\n"
    return b"".join(lines)


def wrong_fields(random: Random, content: bytes) -> bytes:
    """A value of another type inside a line, whose checksum is that of before."""
    lines = lines_of(content)
    number = random.randrange(len(lines))
    told = json.loads(lines[number])
    part = told["data"].get("trial", told["data"]) if random.random() < 0.5 else told["data"]
    if part:
        part[random.choice(list(part))] = random.choice([None, "x", [], {}, -1, 1e400, True])
    lines[number] = json.dumps(told).encode() + b"\n"
    return b"".join(lines)


def torn(random: Random, content: bytes) -> bytes:
    """A process was killed, or the power failed, while it wrote a line."""
    line = random.choice(lines_of(content)[:-1])
    return content[:-2] + b"\n" + line[: random.randrange(1, len(line) - 1)]


IN_FILE = [
    flip, flip, flip, zero, zero, truncate, delete_line, duplicate_line, swap_lines, wrong_types,
    wrong_fields, torn,
]  # fmt: skip


def swap_files(random: Random, folder: Path) -> None:
    first, second = random.sample(sorted(folder.glob("*.jsonl")), 2)
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def stray(random: Random, folder: Path) -> None:
    path = random.choice(sorted(folder.glob("*.jsonl")))
    copy = random.choice(["Foo Bar", f"{path.stem} (conflicted copy)", "copy0000", "x"])
    (folder / f"{copy}.jsonl").write_bytes(path.read_bytes())


def no_study(random: Random, folder: Path) -> None:
    (folder / "study.jsonl").unlink()


def answers_in(folder: Path) -> dict[Answer, bytes]:
    """The line of each answer, without its end."""
    answers = {}
    for path in folder.glob("*.jsonl"):
        for line in path.read_bytes().splitlines() if path.stem != STUDY else ():
            told = json.loads(line)
            if told["kind"] == "trial":
                answers[path.stem, told["index"]] = line.rstrip()
    return answers


@pytest.mark.parametrize("part", range(10))
def test_a_folder_loses_nothing_that_is_whole(template, tmp_path, part):
    answers = answers_in(template)
    for case in range(CASES // 10):
        random = Random(f"{part} {case}")
        folder = tmp_path / str(case) / template.name
        shutil.copytree(template, folder)
        for _ in range(random.choice([1, 1, 2, 3])):
            if random.random() < 0.1:
                random.choice([swap_files, stray, stray, no_study])(random, folder)
            paths = [path for path in folder.glob("*.jsonl") if path.stat().st_size > 300]
            path = random.choice(sorted(paths))
            try:
                path.write_bytes(random.choice(IN_FILE)(random, path.read_bytes()))
            except (ValueError, KeyError, AttributeError, TypeError):
                continue  # damaged before, so that it cannot be damaged in this way
        files = {path: path.read_bytes() for path in folder.iterdir()}
        kept = {
            answer
            for answer, line in answers.items()
            if line in files.get(folder / f"{answer[0]}.jsonl", b"")
        }
        store = JsonLinesStore(folder.parent)
        check(store, template.name, kept, {*answers}, Moved(random, folder.stat().st_mtime))
        assert {path: path.read_bytes() for path in folder.iterdir()} == files


# --- databases ----------------------------------------------------------------------------------


def rows_of(folder: Path) -> list[dict]:
    """The template's events as the rows of a database."""
    store = DatabaseStore("sqlite://")
    source = JsonLinesStore(folder.parent)
    for session in (STUDY, *source.sessions(folder.name)):
        for event in source.read(folder.name, session):
            store.append(event)
    with store.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(sql.select(EVENTS))]


def damaged_rows(random: Random, table: list[dict], *, typed: bool) -> list[dict]:
    """Some rows changed, gone or exchanged; a `typed` database keeps its columns' types."""
    table = [row.copy() for row in table]
    for _ in range(random.choice([1, 1, 2, 3, 8])):
        row = random.choice(table)
        column = random.choice(["data", "data", "data", "checksum", "kind", "session", "number"])
        match random.choice(
            ["flip", "flip", "cut", "zero", "type", "swap", "move", "gone", "wrong"]
        ):
            case "flip" if isinstance(row[column], str) and row[column]:
                at = random.randrange(len(row[column]))
                flipped = chr(ord(row[column][at]) ^ 1 << random.randrange(7))
                text = row[column][:at] + flipped + row[column][at + 1 :]
                row[column] = text.replace("\0", "0")
            case "cut":
                row["data"] = row["data"][: random.randrange(1 + len(row["data"]))]
            case "zero" if not typed:
                row["data"] = bytes(len(row["data"]))
            case "type" if not typed:
                row[column] = random.choice([7, b"\xff\xfe", "x", -1])
            case "swap":
                other = random.choice(table)
                row["data"], other["data"] = other["data"], row["data"]
            case "move":
                row["session"] = random.choice(table)["session"]
            case "wrong":
                told = random.choice(WRONG)
                row["data"] = json.dumps(told.get("data", 7) if isinstance(told, dict) else told)
                row["checksum"] = None
            case "gone" if len(table) > 1:
                last = {r["session"]: r["id"] for r in table}
                if row["id"] != last[row["session"]]:  # the last one leaves no trace
                    table.remove(row)
    places = {}
    for row in table:  # as the table's constraint has it
        places.setdefault(tuple(map(str, (row["session"], row["kind"], row["number"]))), row)
    return list(places.values())


def whole_answers(table: list[dict], whole: list[dict]) -> set[Answer]:
    trials = [row for row in table if row in whole and row["kind"] == "trial"]
    return {(row["session"], row["number"]) for row in trials}


@pytest.mark.parametrize("part", range(10))
def test_sqlite_loses_nothing_that_is_whole(template, tmp_path, part):
    """Rows are changed in one half of the cases, the bytes of the file in the other half."""
    whole = rows_of(template)
    path, empty = tmp_path / "answers.db", tmp_path / "empty.db"
    DatabaseStore(f"sqlite:///{empty}").engine.dispose()
    columns = ", ".join(f":{column}" for column in whole[0])
    for case in range(CASES // 10):
        random = Random(f"{part} {case}")
        for old in tmp_path.glob("answers.db*"):
            old.unlink()
        shutil.copy(empty, path)
        in_rows = case % 2 == 0
        table = damaged_rows(random, whole, typed=False) if in_rows else whole
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            connection.executemany(f"INSERT INTO listening_events VALUES ({columns})", table)
        connection.close()
        if not in_rows:
            harm = random.choice([flip, zero, truncate])
            path.write_bytes(harm(random, path.read_bytes()))
            table = readable(path, whole)
        try:
            store = DatabaseStore(f"sqlite:///{path}")
        except ValueError as error:
            assert "\n" not in str(error)
            continue
        before = readable(path, whole)
        everything = whole_answers(whole, whole)
        moved = Moved(random, path.stat().st_mtime)
        check(store, template.name, whole_answers(table, whole), everything, moved)
        store.engine.dispose()
        assert readable(path, whole) == before


def readable(path: Path, whole: list[dict]) -> list[dict]:
    """The rows of a damaged file that are as they were, by a scan of its table."""
    rows = []
    connection = sqlite3.connect(path)
    try:
        cursor = connection.execute("SELECT * FROM listening_events NOT INDEXED")
        for values in cursor:
            rows.append(dict(zip(whole[0], values, strict=True)))
    except (sqlite3.Error, ValueError):
        return []
    finally:
        connection.close()
    return [row for row in rows if row in whole]


def test_postgresql_loses_nothing_that_is_whole(template, postgres_url):
    store = eventually(lambda: DatabaseStore(postgres_url))
    whole = rows_of(template)
    for case in range(CASES // 3):  # every kind of damage is drawn 27 times at least
        random = Random(case)
        table = damaged_rows(random, whole, typed=True)
        with store.engine.begin() as connection:
            connection.execute(EVENTS.delete())  # those of the tests before this one, too
            connection.execute(EVENTS.insert(), table)
        everything = whole_answers(whole, whole)
        moved = Moved(random, (template / "study.jsonl").stat().st_mtime)
        check(store, template.name, whole_answers(table, whole), everything, moved)
        with store.engine.connect() as connection:
            (count,) = connection.execute(sql.select(sql.func.count()).select_from(EVENTS)).one()
        assert count == len(table)
    with store.engine.begin() as connection:
        connection.execute(EVENTS.delete())
