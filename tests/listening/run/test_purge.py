"""What is over goes, and nothing else: closing that was killed, orphans, files in the way."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from listening.small_study import expired, filled, small_study

from robustaudio.cli import main
from robustaudio.listening.run.host import Host, NoStudy
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.session import new_code, session_of
from robustaudio.listening.run.store import STUDY, Event

LISTENERS, KILLS = 20, 6
CLOSER = """
import os, sys
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_store import open_store
for line in sys.stdin:
    place, token = line.split()
    closing = os.fork()
    if not closing:
        Host(open_store(place)).close(token)
        os._exit(0)
    print(closing, flush=True)
    os.waitpid(closing, 0)
    print("ended", flush=True)
"""


@pytest.fixture(scope="module")
def closer():
    """A process that has imported everything, and closes each study in a child of its own."""
    code = [sys.executable, "-c", CLOSER]
    with subprocess.Popen(
        code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.parametrize("where", ["{}/answers", "sqlite:///{}/answers.db"])
def test_a_closing_that_is_killed_is_never_open_again(tmp_path, where, closer):
    """Killed at any moment, a study is whole and open, or closed; the next purge finishes it."""
    for kill in range(KILLS):
        (tmp_path / str(kill)).mkdir()
        place = where.format(tmp_path / str(kill))
        store = open_store(place)
        token = filled(store, LISTENERS)
        if isinstance(store, JsonLinesStore):
            os.close(int(store_lock(store)))
        closer.stdin.write(f"{place} {token}\n")
        closer.stdin.flush()
        closing = int(closer.stdout.readline())
        wait_until_it_deletes(open_store(place), token, kill)
        with suppress(ProcessLookupError):  # it was faster
            os.kill(closing, signal.SIGKILL)
        assert closer.stdout.readline() == "ended\n"
        later = Host(open_store(place))
        try:
            later.find(token)
            is_open = True
        except NoStudy:
            is_open = False
        if is_open:
            assert len(later.store.sessions(token)) == LISTENERS
            continue
        later.purge(by_time=False)
        assert later.store.studies() == later.store.orphans() == []
        assert later.store.sessions(token) == []
        with pytest.raises(NoStudy):
            later.find(token)


def store_lock(store: JsonLinesStore) -> str:
    """The descriptor by which this process holds the folder, so that it can be let go."""
    lock = (store.folder / ".lock").resolve()
    (found,) = (fd for fd in os.listdir("/proc/self/fd") if is_file(fd, lock))
    return found


def is_file(descriptor: str, path: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/self/fd/{descriptor}")) == path
    except OSError:
        return False


def wait_until_it_deletes(store, token: str, kill: int) -> None:
    """Returns in the midst of a deletion, each time a little later."""
    for _ in range(100_000):
        if len(store.sessions(token)) < LISTENERS - kill:
            return


@pytest.mark.parametrize("step", range(30))
def test_whatever_step_of_closing_is_the_last(tmp_path, monkeypatch, step):
    """The same, at every single call of the file system."""
    store = JsonLinesStore(tmp_path)
    token = filled(store, 3)
    calls = iter(range(step))

    def counted(function):
        def call(*arguments, **options):
            if next(calls, None) is None:
                raise KeyboardInterrupt  # as good as a kill: nothing is cleaned up after it
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as until:
        for name in ("open", "fsync", "unlink", "rmdir"):
            until.setattr(os, name, counted(getattr(os, name)))
        for name in ("unlink", "rmdir"):
            until.setattr(Path, name, counted(getattr(Path, name)))
        with suppress(KeyboardInterrupt):
            Host(store).close(token)
    later = Host(JsonLinesStore(tmp_path))
    later.store._claimed = True  # the lock is this process's already
    sessions = later.store.sessions(token)
    try:
        later.find(token)
        assert len(sessions) == 3
    except NoStudy:
        later.purge(by_time=False)
        assert not list(tmp_path.rglob("*.jsonl"))


def test_closing_works_on_a_full_disk(tmp_path, monkeypatch, caplog):
    store = JsonLinesStore(tmp_path)
    token = filled(store, 3)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("robustaudio.listening.run.json_lines._write", full)
    Host(store).close(token)
    assert not list(tmp_path.rglob("*.jsonl"))
    assert "is deleted without a note of it" in caplog.text


@pytest.mark.parametrize("where", ["{}/answers", "sqlite:///{}/answers.db"])
def test_orphans_of_a_closed_study_go_and_others_stay(tmp_path, where, caplog):
    store = open_store(where.format(tmp_path))
    rooms = Host(store)
    token = filled(store, 2)
    rooms.close(token)
    store.append(start(token, session_of(new_code())))  # by a server that did not know yet
    store.append(start("lost2345xy", "aaaa0001"))
    store.append(Event("lost2345xy", "aaaa0001", "trial", 0, {"answer": 1}))
    assert store.orphans() == sorted([token, "lost2345xy"])
    assert Host(store).purge() == ([token], [])
    assert store.orphans() == ["lost2345xy"] and len(store.read("lost2345xy", "aaaa0001")) == 2
    assert "lost2345xy: there are answers, but nothing says what was asked" in caplog.text
    rooms.close("lost2345xy")
    assert store.orphans() == store.studies() == []


def over(folder: Path) -> tuple[str, Host]:
    """A study with three listeners that was being closed when its server was killed."""
    store = JsonLinesStore(folder)
    token = filled(store, 3)
    store.append(Event(token, STUDY, "closed", 0, {"hour": "2020-01-01T00Z"}))
    return token, Host(store)


def test_a_study_that_is_over_takes_all_its_files_along(tmp_path):
    """Listeners were promised that their answers go: under which name does not matter."""
    folder, elsewhere = tmp_path / "answers", tmp_path / "elsewhere"
    token, rooms = over(folder)
    elsewhere.mkdir()
    (elsewhere / "kept.txt").touch()
    study = folder / token
    (study / "aaaa0001.jsonl").unlink()
    (study / "aaaa0001.jsonl").mkdir()
    (study / "aaaa0001.jsonl" / "inner").touch()
    (study / "bbbb.jsonl").symlink_to(elsewhere)
    for name in ("Foo Bar.jsonl", "aaaa0000.jsonl.bak"):
        (study / name).write_text("{}\n")
    assert rooms.purge() == ([token], [])
    assert not study.exists() and (elsewhere / "kept.txt").exists()


def test_a_folder_of_somebody_else_is_left(tmp_path):
    """Where a study's folder is a link, only what is called like a listener is ours."""
    folder, elsewhere = tmp_path / "answers", tmp_path / "elsewhere"
    token, rooms = over(folder)
    (folder / token).rename(elsewhere)
    (folder / token).symlink_to(elsewhere)
    (elsewhere / "letter.txt").touch()
    rooms.close(token)
    assert [path.name for path in elsewhere.iterdir()] == ["letter.txt"]


def test_what_cannot_be_deleted_holds_up_nothing_and_is_told_once(tmp_path, monkeypatch, caplog):
    token, rooms = over(tmp_path)
    stuck = tmp_path / token / "aaaa0000.jsonl"
    unlink = Path.unlink

    def sticks(path, **options):
        if path == stuck:
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, **options)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Path, "unlink", sticks)
        assert rooms.purge() == ([], [token])
        left = sorted(path.name for path in (tmp_path / token).iterdir())
        assert left == [stuck.name, "study.jsonl"]
        length = (tmp_path / token / "study.jsonl").stat().st_size
        for _ in range(5):
            assert rooms.purge() == ([], [token])
        assert (tmp_path / token / "study.jsonl").stat().st_size == length
        assert caplog.text.count("cannot be purged") == 1
    assert rooms.purge() == ([token], [])
    assert not (tmp_path / token).exists()


def test_a_study_whose_own_file_is_none_is_its_owners(tmp_path, capsys, caplog):
    rooms = Host(JsonLinesStore(tmp_path))
    token = filled(rooms.store, 2)
    own = tmp_path / token / "study.jsonl"
    own.unlink()
    own.mkdir()
    for _ in range(3):
        assert rooms.purge() == ([], [token])
    assert rooms.charters.quarantined() == [token]
    assert caplog.text.count(f"study {token} cannot be purged") == 1
    assert main(["listen", "analyse", str(tmp_path), "--study", token]) == 2
    assert "study.jsonl: not a regular file." in capsys.readouterr().err
    assert len(rooms.store.sessions(token)) == 2
    assert main(["listen", "purge", str(tmp_path), "--study", token]) == 0
    assert not (tmp_path / token).exists()


def test_a_study_in_trouble_holds_up_no_other(rooms, tmp_path, monkeypatch, caplog):
    tokens = sorted(rooms.open(small_study())[0].token for _ in range(3))
    delete = JsonLinesStore.delete

    def failing(store, token, session=None):
        if token == tokens[0]:
            raise OSError("the disk is away")
        delete(store, token, session)

    for token in tokens:
        expired(tmp_path, token)
    with monkeypatch.context() as trouble:
        trouble.setattr(JsonLinesStore, "delete", failing)
        assert rooms.purge() == (tokens[1:], tokens[:1])
    assert f"study {tokens[0]} cannot be purged: the disk is away" in caplog.text
    assert rooms.purge() == (tokens[:1], [])
