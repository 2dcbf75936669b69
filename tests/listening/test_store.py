"""One contract, every backend: durable, in order, once, and forgotten when asked to be."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from robustaudio.listening.database import DatabaseStore
from robustaudio.listening.hub import DatasetRepository, HubStore
from robustaudio.listening.store import STUDY, Event, JsonLinesStore, MemoryStore, open_store


class FakeRemote:
    """The far end at its boundary: remembers what was asked of it."""

    def __init__(self) -> None:
        self.lock, self.commits, self.deleted = threading.RLock(), 0, []

    def trigger(self) -> None:
        self.commits += 1

    def delete(self, path: str) -> None:
        self.deleted.append(path)


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
            return HubStore(tmp_path / "hub", FakeRemote())
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
from robustaudio.listening.store import Event, open_store
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


def test_sqlite_writes_ahead(tmp_path):
    store = DatabaseStore(f"sqlite:///{tmp_path / 'a.db'}")
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


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
    store = HubStore(tmp_path, remote := FakeRemote())
    store.append(trial(0))
    assert remote.commits == 0
    store.append(Event("abcd", "aaaa0001", "end"))
    store.append(Event("abcd", "aaaa0001", "end"))
    assert remote.commits == 1
    store.delete("abcd", "aaaa0001")
    store.delete("abcd")
    assert remote.deleted == ["abcd/aaaa0001.jsonl", "abcd/"]


class FakeApi:
    """The Hub's client: a repository with some files, public or private."""

    def __init__(self, private: bool) -> None:
        self.private, self.files, self.calls = private, {"abcd/aaaa0001.jsonl", "abcd"}, []

    def repo_info(self, **_):
        return self

    def get_paths_info(self, paths, **_):
        return self.files & set(paths)

    def __getattr__(self, name):
        return lambda **options: self.calls.append((name, options))


class FakeScheduler(FakeRemote):
    def __init__(self, **options) -> None:
        super().__init__()
        self.options = options


def test_the_data_set_is_private_and_its_past_is_squashed(tmp_path):
    api = FakeApi(private=True)
    repository = DatasetRepository("me/answers", tmp_path, api, FakeScheduler)
    assert [name for name, _ in api.calls] == ["create_repo", "snapshot_download"]
    assert api.calls[0][1]["private"] and repository._scheduler.options["private"]
    assert repository._scheduler.options["squash_history"]
    repository.delete("abcd/aaaa0001.jsonl")
    repository.delete("abcd/")
    repository.delete("gone/")  # it never got there
    assert [name for name, _ in api.calls[2:]] == [
        "delete_file", "super_squash_history", "delete_folder", "super_squash_history",
    ]  # fmt: skip


def test_a_public_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="me/answers is public"):
        DatasetRepository("me/answers", tmp_path, FakeApi(private=False), FakeScheduler)
