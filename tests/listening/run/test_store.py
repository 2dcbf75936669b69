"""One contract, every backend: durable, in order, once, and forgotten when asked to be."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from robustaudio.listening.run.database import DatabaseStore
from robustaudio.listening.run.hub import HubStore, connect
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import DAMAGED, STUDY, Event, MemoryStore


class FakeRemote:
    """The far end at its boundary: remembers what was asked of it."""

    def __init__(self) -> None:
        self.lock, self.commits = threading.Lock(), 0

    def trigger(self) -> None:
        self.commits += 1


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


@pytest.fixture(params=["memory", "lines", "sqlite", "postgresql", "hub"])
def store(request, tmp_path):
    match request.param:
        case "memory":
            return MemoryStore()
        case "lines":
            return JsonLinesStore(tmp_path / "answers")
        case "hub":
            return HubStore(tmp_path / "hub", FakeRemote)
        case "sqlite":
            return DatabaseStore(f"sqlite:///{tmp_path / 'answers.db'}")
    url = request.getfixturevalue("postgres_url")
    store = eventually(lambda: DatabaseStore(url))
    for study in ("abcd", "wxyz"):  # of the test before
        store.delete(study)
    return store


def trial(index: int, session: str = "aaaa0001", study: str = "abcd", **data) -> Event:
    return Event(study, session, "trial", index, data)


def test_events_come_back_whole_and_in_order(store):
    told = [
        trial(2, answer=1, level_db=-40.25),
        trial(0, answer="é\n"),
        Event("abcd", STUDY, "open"),
    ]
    assert [store.append(event) for event in told] == [True, True, True]
    assert store.read("abcd", "aaaa0001") == told[:2]
    assert store.read("abcd", STUDY) == told[2:]
    assert store.read("abcd", "bbbb") == [] and store.read("none", "bbbb") == []
    assert store.studies() == ["abcd"] and store.sessions("abcd") == ["aaaa0001"]


def test_an_answer_that_is_sent_twice_is_stored_once_and_the_first_counts(store):
    assert store.append(trial(0, answer=1))
    assert not store.append(trial(0, answer=2))
    assert [event.data for event in store.read("abcd", "aaaa0001")] == [{"answer": 1}]


def test_thirty_at_once_store_every_answer_once(store):
    def answer(number: int) -> bool:
        return store.append(trial(number // 2 % 20, f"aaaa{number // 40:04d}"))

    with ThreadPoolExecutor(30) as visitors:
        stored = list(visitors.map(answer, range(400)))
    assert sum(stored) == 200
    assert len(store.sessions("abcd")) == 10
    for session in store.sessions("abcd"):
        assert sorted(e.index for e in store.read("abcd", session)) == list(range(20))


def test_forgetting_a_listener_and_a_study(store):
    for session in ("aaaa0001", "aaaa0002"):
        store.append(trial(0, session))
    store.append(trial(0, study="wxyz"))
    store.append(Event("abcd", STUDY, "open"))
    store.append(Event("wxyz", STUDY, "open"))
    store.delete("abcd", "aaaa0001")
    assert store.sessions("abcd") == ["aaaa0002"]
    store.delete("abcd")
    assert store.studies() == ["wxyz"] and store.sessions("abcd") == []
    assert len(store.read("wxyz", "aaaa0001")) == 1


@pytest.mark.parametrize("name", ["../x", "", "a/b", "AAAA", "abc", "a" * 65, "study\n", "a.jsonl"])
def test_a_name_never_leaves_the_folder(tmp_path, name):
    store = JsonLinesStore(tmp_path)
    for event in (trial(0, name), trial(0, study=name)):
        with pytest.raises(ValueError, match="names no study or session"):
            store.append(event)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_was_not_finished_is_cut_off(tmp_path):
    store = JsonLinesStore(tmp_path)
    store.append(trial(0, answer=1))
    path = tmp_path / "abcd" / "aaaa0001.jsonl"
    path.write_bytes(path.read_bytes() + b'{"kind": "trial", "index": 1, "da')
    assert [e.index for e in store.read("abcd", "aaaa0001")] == [0]
    assert store.append(trial(1, answer=2))
    assert [e.data for e in store.read("abcd", "aaaa0001")] == [{"answer": 1}, {"answer": 2}]
    assert all(json.loads(line) for line in path.read_text().splitlines())


WRITER = """
import itertools, sys
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import Event
store = open_store(sys.argv[1])
for index in itertools.count():
    store.append(Event("abcd", "aaaa0001", "trial", index, {"filler": "x" * 2000}))
    print(index, flush=True)
"""


@pytest.mark.parametrize("where", ["{}/answers", "sqlite:///{}/answers.db"])
def test_what_was_confirmed_survives_sigkill(tmp_path, where):
    where = where.format(tmp_path)
    code = [sys.executable, "-c", textwrap.dedent(WRITER), where]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as writer:
        confirmed = [int(writer.stdout.readline()) for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        confirmed += [int(line) for line in writer.stdout.read().splitlines()]
    kept = [event.index for event in open_store(where).read("abcd", "aaaa0001")]
    assert kept[: len(confirmed)] == confirmed
    assert len(kept) <= len(confirmed) + 1


def test_a_line_that_the_disk_damaged_hides_no_other(tmp_path):
    store = JsonLinesStore(tmp_path)
    for index in range(3):
        store.append(trial(index))
    path = tmp_path / "abcd" / "aaaa0001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\0" * 20 + b"\n" + lines[2])
    assert [(e.kind, e.index) for e in store.read("abcd", "aaaa0001")] == [
        ("trial", 0), (DAMAGED, 1), ("trial", 2),
    ]  # fmt: skip


def test_one_process_writes_to_a_folder_until_it_ends(tmp_path):
    store = JsonLinesStore(tmp_path / "answers")
    code = [sys.executable, "-c", WRITER, str(store.folder)]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as writer:
        writer.stdout.readline()
        assert store.read("abcd", "aaaa0001")  # whoever reads disturbs nobody
        for write in (lambda: store.append(trial(0)), lambda: store.delete("abcd", "aaaa0001")):
            with pytest.raises(ValueError, match=r"another process writes to .*answers; stop"):
                write()
        os.kill(writer.pid, signal.SIGKILL)
    assert store.append(trial(0, "aaaa0002"))


def test_a_folder_that_cannot_be_written_to_says_so(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", Path("/proc/answers")):
        with pytest.raises(ValueError, match=f"{folder} cannot be written to"):
            JsonLinesStore(folder).append(trial(0))


@pytest.mark.parametrize("session", ["aaaa0001", None])
def test_sqlite_keeps_no_copy_of_what_was_deleted(tmp_path, session):
    store = DatabaseStore(f"sqlite:///{tmp_path / 'answers.db'}")
    store.append(Event("abcd", STUDY, "open", 0))
    for index in range(50):
        store.append(trial(index, answer="confidential"))
    store.delete("abcd", session)
    assert store.read("abcd", STUDY) == ([Event("abcd", STUDY, "open", 0)] if session else [])
    assert [path for path in tmp_path.iterdir() if b"confidential" in path.read_bytes()] == []


def test_a_database_is_made_only_where_answers_go(tmp_path):
    url = f"sqlite:///{tmp_path / 'typo.db'}"
    with pytest.raises(ValueError, match=r"there is no database .*typo\.db"):
        open_store(url, create=False)
    assert list(tmp_path.iterdir()) == []
    open_store(url)
    assert open_store(url, create=False).studies() == []


def test_sqlite_writes_ahead_and_overwrites_what_is_deleted(tmp_path):
    store = DatabaseStore(f"sqlite:///{tmp_path / 'a.db'}")
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nosql://somewhere/db", "'nosql' is no database at hand; sqlite:///FILE"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", r"postgresql\+psycopg://u:\*\*\*@127"),
        ("sqlite:////nowhere/at/all.db", "sqlite:////nowhere/at/all.db cannot be reached"),
        ("hub://alone", "hub://owner/dataset would"),
    ],
)
def test_a_store_that_cannot_be_opened_says_so(url, message):
    with pytest.raises(ValueError, match=message) as error:
        open_store(url)
    assert "secret" not in str(error.value)


def test_the_hub_hears_of_finished_listeners_and_of_deletions(tmp_path):
    store = HubStore(tmp_path, FakeRemote)
    store.append(trial(0))
    assert store.remote.commits == 0
    store.append(Event("abcd", "aaaa0001", "end"))
    store.append(Event("abcd", "aaaa0001", "end"))
    assert store.remote.commits == 1
    store.delete("abcd", "aaaa0001")
    store.delete("abcd")
    assert store.remote.commits == 3


class FakeHub(HfApi):
    """The Hub's client, with its own queue of jobs, and a repository in memory."""

    def __init__(self, private: bool = True) -> None:
        super().__init__()
        self.private, self.files, self.past = private, {}, []
        self.reached, self.holds = threading.Event(), threading.Event()
        self.holds.set()
        self.down = False

    def create_repo(self, repo_id, *, private, **_):
        assert private
        self.repo_id = repo_id
        return self

    def repo_info(self, *_, **__):
        return self

    def snapshot_download(self, *_, local_dir, ignore_patterns, **__):
        for name in self.files.keys() - set(ignore_patterns):
            (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (local_dir / name).write_bytes(self.files[name])

    def list_repo_files(self, *_, **__):
        return list(self.files)

    def create_commit(self, *_, operations, **__):
        contents = {
            operation.path_in_repo: operation.path_or_fileobj.read()
            for operation in operations
            if hasattr(operation, "path_or_fileobj")
        }
        self.reached.set()
        assert self.holds.wait(20)
        if self.down:
            raise OSError("503")
        self.past.append({**self.files})
        for operation in operations:
            if operation.path_in_repo in contents:
                self.files[operation.path_in_repo] = contents[operation.path_in_repo]
            else:
                del self.files[operation.path_in_repo]

    def super_squash_history(self, *_, **__):
        self.past = []


def hub_store(folder, hub: FakeHub) -> HubStore:
    store = HubStore(folder, lambda: connect("me/answers", folder, hub))
    settled(store)
    return store


def settled(store: HubStore) -> None:
    """After the scheduler's pending jobs, whether or not the last one succeeds."""
    store.remote.trigger().exception(20)


def test_the_hub_holds_answers_until_they_are_deleted(tmp_path):
    store = hub_store(tmp_path, hub := FakeHub())
    for session in ("aaaa0001", "aaaa0002", STUDY):
        store.append(trial(0, session))
    store.append(trial(0, study="wxyz"))
    settled(store)
    kept = {"abcd/study.jsonl", "abcd/aaaa0001.jsonl", "abcd/aaaa0002.jsonl", "wxyz/aaaa0001.jsonl"}
    assert hub.files.keys() == kept
    store.delete("abcd", "aaaa0001")
    settled(store)
    assert hub.files.keys() == kept - {"abcd/aaaa0001.jsonl"} and hub.past == []
    store.delete("abcd")
    settled(store)
    assert hub.files.keys() == {"wxyz/aaaa0001.jsonl"} and hub.past == []
    assert not list(tmp_path.rglob("*.deleted"))


def test_a_deletion_outlives_a_commit_that_was_under_way(tmp_path):
    store = hub_store(tmp_path, hub := FakeHub())
    store.append(trial(0))
    hub.reached.clear()
    hub.holds.clear()
    store.append(Event("abcd", "aaaa0001", "end"))
    assert hub.reached.wait(20)  # the answers are on their way
    store.delete("abcd", "aaaa0001")
    hub.holds.set()
    settled(store)
    assert hub.files == {} and hub.past == []


@pytest.mark.parametrize("session", ["aaaa0001", None])
def test_a_deletion_that_the_hub_missed_is_done_again(tmp_path, session):
    store = hub_store(tmp_path / "first", hub := FakeHub())
    for name in ("aaaa0001", STUDY):
        store.append(trial(0, name))
    settled(store)
    hub.down = True
    store.delete("abcd", session)
    assert store.read("abcd", "aaaa0001") == []
    settled(store)
    assert "abcd/aaaa0001.jsonl" in hub.files
    hub.down = False
    store.remote.stop()  # killed before the next commit; its disk stays
    again = hub_store(tmp_path / "first", hub)
    assert again.read("abcd", "aaaa0001") == []
    assert hub.files.keys() == ({"abcd/study.jsonl"} if session else set())


def test_a_tombstone_reaches_the_hub_before_the_deletion(tmp_path, monkeypatch):
    """A Space that is killed in between has another disk, and deletes what comes back to it."""
    store = hub_store(tmp_path / "first", hub := FakeHub())
    store.append(trial(0))
    settled(store)
    with monkeypatch.context() as killed:
        killed.setattr(hub, "list_repo_files", None)
        store.delete("abcd", "aaaa0001")
        settled(store)
    assert hub.files.keys() == {"abcd/aaaa0001.jsonl", "abcd/aaaa0001.deleted"}
    store.remote.stop()
    assert hub_store(tmp_path / "second", hub).read("abcd", "aaaa0001") == []
    assert hub.files == {}


def test_a_restart_keeps_what_the_hub_does_not_have_yet(tmp_path):
    store = hub_store(tmp_path, hub := FakeHub())
    store.append(trial(0))
    settled(store)
    store.append(trial(1))
    store.remote.stop()
    assert len(hub_store(tmp_path, hub).read("abcd", "aaaa0001")) == 2


def test_a_public_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="me/answers is public"):
        connect("me/answers", tmp_path, FakeHub(private=False))


def test_the_name_of_a_store_is_no_folder_of_the_hubs_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROBUSTAUDIO_LISTENING", "hub://me/answers")
    monkeypatch.setattr("robustaudio.listening.run.hub.HfApi", FakeHub)
    open_store("hub://me/answers").remote.stop()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["listening-hub"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    (tmp_path / "runs" / "listening-hub" / "me--other").touch()
    with pytest.raises(ValueError, match="me--other cannot be written to"):
        open_store("hub://me/other")


def ten(folder: Path) -> Path:
    store = JsonLinesStore(folder)
    for number in range(10):
        store.append(Event("abcd", "aaaa0001", "trial", number, {"answer": number % 2}))
    return folder / "abcd" / "aaaa0001.jsonl"


def lost_and_read(path: Path) -> tuple[int, list[int]]:
    events = JsonLinesStore(path.parents[1]).read("abcd", "aaaa0001")
    return sum(e.kind == DAMAGED for e in events), [e.index for e in events if e.kind == "trial"]


def test_a_file_that_is_cut_anywhere_says_so(tmp_path):
    path = ten(tmp_path)
    whole = path.read_bytes()
    first = whole.index(b"\n")  # a beginning alone was never confirmed to anybody
    for size in range(first, len(whole) - 1):
        path.write_bytes(whole[:size])
        lost, read = lost_and_read(path)
        assert lost or len(read) == 10, size
    assert whole.endswith(b" \n")


@pytest.mark.parametrize("between", [b" ", b"\r", b"\0\0", b""])
def test_a_newline_that_is_lost_costs_no_answer_not_even_by_the_next(tmp_path, between):
    path = ten(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", between))
    assert lost_and_read(path)[1] == [*range(10)]
    store = JsonLinesStore(tmp_path)
    assert store.append(Event("abcd", "aaaa0001", "trial", 10))
    assert lost_and_read(path)[1] == [*range(11)]


def test_what_other_programs_make_of_line_ends_hides_no_cut(tmp_path):
    path = ten(tmp_path)
    lines = path.read_bytes().replace(b"\n", b"\r\n").splitlines(keepends=True)
    path.write_bytes(b"".join(lines))
    assert lost_and_read(path) == (0, [*range(10)])
    path.write_bytes(b"".join(lines[:7]))
    assert lost_and_read(path) == (1, [*range(7)])


def test_zeros_hide_no_answer(tmp_path):
    path = ten(tmp_path)
    whole = path.read_bytes()
    for start in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:start] + bytes(len(whole) - start))
        lost, read = lost_and_read(path)
        assert lost or len(read) == 10, start
        middle = whole[:start] + bytes(64) + whole[start + 64 :]
        path.write_bytes(middle[: len(whole)])
        lost, read = lost_and_read(path)
        assert lost or len(read) == 10, start


def test_an_answer_without_its_checksum_is_none_behind_one_that_has_it(tmp_path):
    path = ten(tmp_path)
    text = path.read_text()
    lines = text.splitlines()
    lines[4] = re.sub(r', "sum": "\w+"', "", lines[4]).replace('"answer": 0', '"answer": 1')
    path.write_text("\n".join(lines) + "\n")
    assert lost_and_read(path)[0] == 1 and 4 not in lost_and_read(path)[1]
    older = [re.sub(r', "sum": "\w+"', "", line).rstrip() for line in text.splitlines()]
    path.write_text("\n".join(older) + "\n")  # by a version without checksums
    assert lost_and_read(path) == (0, [*range(10)])


def test_blank_lines_are_nothing(tmp_path):
    path = ten(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"}\n", b"}\n\n \n"))
    assert lost_and_read(path) == (0, [*range(10)])
