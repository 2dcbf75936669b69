"""Nothing empties a store by accident: closing that was killed, clocks that are wrong, orphans."""

import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from listening.small_study import small_study
from starlette.testclient import TestClient

from robustaudio.cli import main
from robustaudio.listening.run.clocks import SURE_S, VERY_SURE_S, Clocks
from robustaudio.listening.run.database import DatabaseStore
from robustaudio.listening.run.host import Closed, Host, NoStudy, Quarantined
from robustaudio.listening.run.json_lines import JsonLinesStore
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.sent import start
from robustaudio.listening.run.session import new_code, session_of
from robustaudio.listening.run.store import STUDY, Event
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import simulate
from robustaudio.listening.web import feedback
from robustaudio.listening.web.listener_routes import application

LISTENERS, KILLS = 20, 6
HOUR_S, DAY_S, YEAR_S = 3_600.0, 86_400.0, 365 * 86_400.0

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


class Hands:
    """Two clocks that a test turns."""

    def __init__(self) -> None:
        self.wall = self.start = datetime.now(UTC).timestamp()
        self.steady = 1_000.0
        self.clocks = Clocks(lambda: self.wall, lambda: self.steady)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def filled(store, listeners: int) -> str:
    """An open study with listeners of three answers each."""
    room, _ = Host(store).open(small_study(), hours=48)
    for number in range(listeners):
        name = f"aaaa{number:04d}"
        store.append(start(room.token, name))
        for index in range(3):
            store.append(Event(room.token, name, "trial", index, {"answer": 1}))
    return room.token


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


# --- clocks -------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path):
    """A study of 48 hours with answers, in a folder; clocks to turn; its rooms."""
    hands = Hands()
    store = JsonLinesStore(tmp_path)
    token = filled(store, 2)
    return token, hands, Host(store, clocks=hands.clocks)


@pytest.mark.parametrize("jump", [YEAR_S, -YEAR_S, 30 * DAY_S, 49 * HOUR_S, 20 * YEAR_S])
@pytest.mark.parametrize("minutes", [1, 2, 9])
def test_a_clock_that_jumps_and_comes_back_deletes_nothing(kept, jump, minutes):
    token, hands, rooms = kept
    for offset in (0.0, jump, 0.0):
        hands.wall += offset - (jump if offset == 0.0 and hands.steady > 1_500 else 0.0)
        for _ in range(10 if offset == 0.0 else minutes):
            hands.wait(60)
            assert rooms.purge() == ([], [])
            if jump > 0 or offset == 0.0:
                assert rooms.find(token)  # and nobody is sent away
    assert len(rooms.store.sessions(token)) == 2


@pytest.mark.parametrize("minutes", [1, 2, 9, 120])
def test_a_computer_that_begins_a_year_ahead_deletes_nothing(kept, minutes):
    token, hands, rooms = kept
    hands.wall += YEAR_S
    rooms = Host(rooms.store, clocks=Clocks(lambda: hands.wall, lambda: hands.steady))
    for _ in range(minutes):
        assert rooms.purge() == ([], [])
        with pytest.raises(Closed, match="this study is over; its answers are deleted within"):
            rooms.find(token)  # refused, for it may be true; and not deleted
        hands.wait(60)
    hands.wall -= YEAR_S
    for _ in range(20):
        assert rooms.purge() == ([], [])
        hands.wait(60)
    assert rooms.find(token) and len(rooms.store.sessions(token)) == 2


def test_what_has_expired_goes_within_a_minute_where_the_clocks_agree(kept):
    token, hands, rooms = kept
    while hands.wall < hands.start + 47.9 * HOUR_S:
        assert rooms.purge() == ([], [])
        hands.wait(60 * 30)
    hands.wait(60 * 30)
    assert rooms.purge() == ([token], [])


def test_after_a_sleep_and_after_a_step_it_goes_within_minutes(kept):
    """A steady clock that stops while the computer sleeps; a wrong clock that was put right."""
    token, hands, rooms = kept
    assert rooms.purge() == ([], [])
    hands.wall += 72 * HOUR_S
    waited = 0.0
    while rooms.purge() != ([token], []):
        hands.wait(60)
        waited += 60
        assert waited <= SURE_S + 60
    assert waited > SURE_S / 2


def test_a_clock_that_is_a_year_ahead_for_hours_deletes_nothing(kept):
    token, hands, rooms = kept
    assert rooms.purge() == ([], [])
    hands.wall += YEAR_S
    for _ in range(300):
        hands.wait(60)
        assert rooms.purge() == ([], [])
    for _ in range(int(VERY_SURE_S // 60)):
        hands.wait(60)
        found = rooms.purge()
    assert found == ([token], []) or not rooms.store.studies()  # in the end nobody else is right


def test_a_server_that_was_off_for_weeks_deletes_within_minutes(kept):
    token, hands, rooms = kept
    hands.wall += 30 * DAY_S
    later = Host(rooms.store, clocks=Clocks(lambda: hands.wall, lambda: hands.steady))
    for _ in range(int(SURE_S // 60)):
        assert later.purge() == ([], [])
        hands.wait(60)
    assert later.purge() == ([token], [])


def test_the_background_waits_one_interval(kept, monkeypatch):
    token, _, rooms = kept
    rooms.store.append(Event(token, STUDY, "expires", 9, {"at": "2020-01-01T00:00:00+00:00"}))
    asked = []
    monkeypatch.setattr(rooms, "purge", lambda *, by_time: asked.append(by_time))
    monkeypatch.setattr("robustaudio.listening.run.host.PURGE_S", 0.05)
    stop = rooms.keep_purging()
    while len(asked) < 3:
        pass
    stop()
    assert asked[:3] == [False, True, True]
    assert Host(rooms.store).purge(by_time=False) == ([], [])


def test_the_command_asks_whether_a_far_clock_is_right(tmp_path, capsys, monkeypatch):
    token = filled(JsonLinesStore(tmp_path), 1)
    later = datetime.now(UTC).timestamp() + YEAR_S

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(later, tz)

    monkeypatch.setattr("robustaudio.listening.run.clocks.time.time", lambda: later)
    for module in ("run.charter", "run.purge"):
        monkeypatch.setattr(f"robustaudio.listening.{module}.datetime", Later, raising=False)
    monkeypatch.setattr("robustaudio.cli.listen.datetime", Later)
    monkeypatch.setattr(
        "robustaudio.listening.run.host.Host", lambda s: Host(s, clocks=Clocks(lambda: later))
    )
    assert main(["listen", "purge", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"{token}: over by this computer's clock" in told and "add --clock-is-right" in told
    assert JsonLinesStore(tmp_path).sessions(token)
    assert main(["listen", "purge", str(tmp_path), "--clock-is-right"]) == 0
    assert not list(tmp_path.rglob("*.jsonl"))


# --- quarantine and orphans ---------------------------------------------------------------------


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
    simulate(room, [Listener(-40.0)], seed=0)
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


def test_a_database_of_an_older_version_goes_on(tmp_path):
    """Its rows have no checksum, and its table no column for one."""
    url = f"sqlite:///{tmp_path / 'answers.db'}"
    store = DatabaseStore(url)
    token = filled(store, 2)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE listening_events DROP COLUMN checksum")
        connection.exec_driver_sql("DROP TABLE listening_deleted")
    store.engine.dispose()
    store = DatabaseStore(url)
    assert [e.kind for e in store.read(token, "aaaa0000")] == ["start"] + ["trial"] * 3
    assert store.append(Event(token, "aaaa0000", "trial", 3, {"answer": 0}))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE listening_events SET data = '{}' WHERE number = 3")
    assert [e.kind for e in store.read(token, "aaaa0000")][-1] == "damaged"
    assert store.append(Event(token, "aaaa0000", "trial", 3, {"answer": 1}))  # asked again
    assert store.read(token, "aaaa0000")[-1].data == {"answer": 1}
    assert not store.append(Event(token, "aaaa0000", "trial", 3, {"answer": 0}))


def test_lines_of_an_older_version_are_read_and_go_on(tmp_path):
    store = JsonLinesStore(tmp_path)
    (tmp_path / "abcd").mkdir()
    old = '{"kind": "trial", "index": %d, "data": {"answer": 1}}\n'
    path = tmp_path / "abcd" / "aaaa0001.jsonl"
    path.write_text(old % 0 + old % 1)
    store.append(Event("abcd", "aaaa0001", "trial", 2, {"answer": 0}))
    assert [(e.kind, e.index) for e in store.read("abcd", "aaaa0001")] == [
        ("trial", n) for n in range(3)
    ]
    flipped = path.read_bytes().replace(
        b'"index": 2, "data": {"answer": 0}', b'"index": 2, "data": {"answer": 1}'
    )
    path.write_bytes(flipped)
    assert [e.kind for e in store.read("abcd", "aaaa0001")] == ["trial", "trial", "damaged"]


def test_answers_after_a_damaged_one_are_not_lost(tmp_path):
    room, _ = Host(JsonLinesStore(tmp_path)).open(small_study())
    simulate(room, [Listener(-40.0)], seed=0)
    (name,) = room.store.sessions(room.token)
    before = room.sessions()[name].responses
    path = tmp_path / room.token / f"{name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = next(n for n, line in enumerate(lines) if b'"trial", "index": 4' in line)
    lines[damaged] = lines[damaged].replace(b'"answer": ', b'"answer":1')
    path.write_bytes(b"".join(lines))
    session = room.sessions()[name]
    assert session.responses == before[:4] + before[5:] and session.damaged == 1
    trial = session.trial()
    assert trial == before[4].trial  # asked again, as it was
    assert feedback.pooled(room).answers == len(before) - 1


def test_a_year_is_no_time_to_wait():
    """`Clocks` reads the steady clock that goes on in sleep, where there is one."""
    clocks = Clocks()
    assert abs(clocks.now() - datetime.now(UTC).timestamp()) < 5
    assert clocks.believed(lambda: datetime.now(UTC).timestamp()) is not None
    assert timedelta(seconds=SURE_S) < timedelta(minutes=15)


# --- what lies in the way -------------------------------------------------------------------------


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
