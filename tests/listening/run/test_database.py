"""What goes wrong in a database is one sentence, without a word of what was to be stored."""

import sqlite3
import threading
import traceback

import pytest
import sqlalchemy as sql
from listening.run.events import eventually, trial
from listening.small_study import filled, small_study
from sqlalchemy import text
from starlette.testclient import TestClient

from robustaudio.listening.run import database
from robustaudio.listening.run.database import DatabaseStore
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.store import DAMAGED, STUDY, Event
from robustaudio.listening.web.listener_routes import application

SECRET, NAME = "-".join("secret"), "".join(("aaaa", "0001"))  # not in any line of this file


def answer(index: int = 0) -> Event:
    return Event("abcd", NAME, "trial", index, {"right": SECRET, "filler": "x" * 5_000})


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    store = DatabaseStore(f"sqlite:///{tmp_path / 'answers.db'}")
    store.append(Event("abcd", STUDY, "open"))
    store.append(answer())
    return store


def failing(call, reason: str) -> None:
    """`call` raises one sentence with this reason; its traceback holds nothing that was stored."""
    with pytest.raises(OSError, match=f"^the database cannot be used: {reason}$") as error:
        call()
    told = "".join(traceback.format_exception(error.value))
    assert SECRET not in told and NAME not in told and "parameters" not in told
    assert error.value.strerror == str(error.value)


def test_a_full_disk(store):
    @sql.event.listens_for(store.engine, "checkout")
    def small(connection, *_):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    failing(lambda: [store.append(answer(n)) for n in range(1, 20)], "its disk is full")
    sql.event.remove(store.engine, "checkout", small)
    store.engine.dispose()
    assert store.append(answer(100)) and store.read("abcd", NAME)[0] == answer()


def test_a_read_only_database(store):
    @sql.event.listens_for(store.engine, "checkout")
    def read_only(connection, *_):
        connection.execute("PRAGMA query_only = ON")

    failing(lambda: store.append(answer(1)), "it is read-only")
    failing(lambda: store.delete("abcd"), "it is read-only")
    assert store.read("abcd", NAME) == [answer()]


def test_a_locked_database_is_waited_for(store, tmp_path):
    other = sqlite3.connect(tmp_path / "answers.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    failing(lambda: store.append(answer(1)), "another program has locked it")
    other.execute("COMMIT")
    assert store.append(answer(1))
    other.close()


@pytest.mark.parametrize("again", [False, True])
def test_a_file_that_disappears(store, tmp_path, again):
    """SQLite would go on in the file that nobody finds any more."""
    path = tmp_path / "answers.db"
    path.rename(tmp_path / "elsewhere.db")
    for call in (
        lambda: store.append(answer(1)),
        lambda: store.read("abcd", NAME),
        lambda: store.studies(),
        lambda: store.delete("abcd"),
    ):
        failing(call, "its file is gone")
    assert not path.exists()
    if again:
        (tmp_path / "elsewhere.db").rename(path)
        assert store.append(answer(1)) and len(store.read("abcd", NAME)) == 2
    else:
        path.write_bytes((tmp_path / "elsewhere.db").read_bytes())  # a backup is put in its place
        failing(lambda: store.studies(), "its file is another one than before; try again")
        assert store.studies() == ["abcd"] and store.append(answer(1))


def test_tables_that_are_gone(store):
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE listening_events")
    calls = [
        lambda: store.append(answer(1)),
        lambda: store.read("abcd", STUDY),
        lambda: store.stamps("abcd"),
    ]
    for call in calls:
        failing(call, "its tables are gone")


def test_a_driver_that_says_what_nobody_knows(store, monkeypatch):
    def strange(*_):
        raise sql.exc.OperationalError(f"INSERT {SECRET}", {"a": SECRET}, Exception(SECRET))

    monkeypatch.setattr(store.engine, "begin", strange)
    failing(lambda: store.append(answer(1)), "it does not answer")


def test_a_page_and_the_log_say_it_in_one_sentence(tmp_path, monkeypatch, caplog):
    rooms = Host(DatabaseStore(f"sqlite:///{tmp_path / 'answers.db'}"))
    room, _ = rooms.open(small_study())
    client = TestClient(application(rooms))
    code = client.post(f"/listen/{room.token}/start", json={"agreed": True}).json()["code"]
    (tmp_path / "answers.db").rename(tmp_path / "elsewhere.db")
    told = client.get(f"/listen/{room.token}/state", headers={"X-Listener": code})
    assert told.status_code == 503 and "its file is gone" in told.json()["error"]
    with pytest.raises(OSError, match="its file is gone"):
        rooms.purge()
    monkeypatch.setattr("robustaudio.listening.run.host.PURGE_S", 0.01)
    stop, tried = rooms.keep_purging(), threading.Event()
    tried.wait(0.3)
    stop()
    assert caplog.text.count("the store cannot be purged: the database cannot be used: its f") == 1
    assert "Traceback" not in caplog.text


def test_postgresql_that_is_read_only_or_stopped(postgres_url):
    store = eventually(lambda: DatabaseStore(postgres_url))
    store.delete("abcd")
    store.append(answer())
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER DATABASE postgres SET default_transaction_read_only = on")
    store.engine.dispose()
    failing(lambda: store.append(answer(1)), "it is read-only")
    assert store.read("abcd", NAME) == [answer()]
    with store.engine.begin() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ WRITE")
        connection.exec_driver_sql("ALTER DATABASE postgres RESET default_transaction_read_only")
    store.engine.dispose()
    assert store.append(answer(1))
    with store.engine.connect() as connection:  # as at a restart: every connection is cut
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"
        connection.exec_driver_sql(cut)
    assert store.append(answer(2))  # with a new one
    away = sql.create_engine(
        sql.make_url(postgres_url).set(port=1), hide_parameters=True, pool_pre_ping=True
    )
    store.engine = away
    failing(lambda: store.append(answer(3)), "it does not answer")
    failing(lambda: store.sessions("abcd"), "it does not answer")


def test_postgresql_of_an_older_version_and_of_another_owner(postgres_url):
    """The column for checksums is added where that is allowed, and done without where it is not."""
    store = eventually(lambda: DatabaseStore(postgres_url))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM listening_events")
        connection.exec_driver_sql("ALTER TABLE listening_events DROP COLUMN checksum")
        connection.exec_driver_sql("DROP TABLE listening_deleted")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.exec_driver_sql("DROP ROLE IF EXISTS guest")
        connection.exec_driver_sql("CREATE ROLE guest LOGIN")
        tables = "listening_events, listening_events_id_seq"
        connection.exec_driver_sql(f"GRANT ALL ON {tables} TO guest")
    store.engine.dispose()
    guest = DatabaseStore(
        sql.make_url(postgres_url).set(username="guest").render_as_string(hide_password=False)
    )
    assert guest.append(answer()) and guest.read("abcd", NAME) == [answer()]
    guest.delete("abcd")
    assert guest.deleted() == set() and guest.studies() == []
    guest.engine.dispose()
    owner = DatabaseStore(postgres_url)
    assert owner.append(answer(1)) and owner.read("abcd", NAME) == [answer(1)]
    with owner.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE listening_events SET data = '{}'")
    assert [event.kind for event in owner.read("abcd", NAME)] == ["damaged"]
    with owner.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM listening_events")
        connection.exec_driver_sql("DROP OWNED BY guest")
        connection.exec_driver_sql("DROP ROLE guest")
    owner.engine.dispose()


@pytest.mark.parametrize("session", ["aaaa0001", None])
def test_sqlite_keeps_no_copy_of_what_was_deleted(tmp_path, session):
    store = DatabaseStore(f"sqlite:///{tmp_path / 'answers.db'}")
    store.append(Event("abcd", STUDY, "open", 0))
    for index in range(50):
        store.append(trial(index, answer="confidential"))
    store.delete("abcd", session)
    assert store.read("abcd", STUDY) == ([Event("abcd", STUDY, "open", 0)] if session else [])
    assert [path for path in tmp_path.iterdir() if b"confidential" in path.read_bytes()] == []


def test_sqlite_writes_ahead_and_overwrites_what_is_deleted(tmp_path):
    store = DatabaseStore(f"sqlite:///{tmp_path / 'a.db'}")
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1


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


def test_a_damaged_row_of_a_database_hides_no_other(tmp_path):
    store = DatabaseStore(f"sqlite:///{tmp_path / 'answers.db'}")
    for index in range(3):
        store.append(Event("abcd", "aaaa0001", "trial", index))
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE listening_events SET data = 'x' WHERE number = 1"))
    assert [(e.kind, e.index) for e in store.read("abcd", "aaaa0001")] == [
        ("trial", 0), (DAMAGED, 1), ("trial", 2),
    ]  # fmt: skip
