"""A data set on the Hub follows the folder, and deletions outlive whatever happens between."""

import threading

import pytest
from huggingface_hub import HfApi
from listening.run.events import FakeRemote, trial

from robustaudio.listening.run.hub import HubStore, connect
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.store import STUDY, Event


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
