"""One contract, every backend: durable, in order, once, and forgotten when asked to be."""

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
from listening.run.events import WRITER, FakeRemote, eventually, trial

from robustaudio.listening.run.database import DatabaseStore
from robustaudio.listening.run.hub import HubStore
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import STUDY, Event, MemoryStore


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
