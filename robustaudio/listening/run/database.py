"""A store in any database that SQLAlchemy speaks to: SQLite for one server, PostgreSQL for many."""

import json
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from robustaudio.listening.run.store import DAMAGED, NAME, STUDY, Event, Store, once

METADATA = sql.MetaData()
EVENTS = sql.Table(
    "listening_events",
    METADATA,
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("study", sql.String(64), nullable=False),
    sql.Column("session", sql.String(64), nullable=False),
    sql.Column("kind", sql.String(32), nullable=False),
    sql.Column("number", sql.Integer, nullable=False),
    sql.Column("data", sql.Text, nullable=False),
    sql.Column("checksum", sql.String(16)),  # older versions wrote none
    sql.UniqueConstraint("study", "session", "kind", "number"),
)
DELETED = sql.Table(
    "listening_deleted", METADATA, sql.Column("study", sql.String(64), primary_key=True)
)
STAMP = (  # of a stream: changes with every row
    sql.func.count(),
    sql.func.max(EVENTS.c.id),
    sql.func.sum(sql.func.length(EVENTS.c.data)),
)
ADD_CHECKSUM = "ALTER TABLE listening_events ADD COLUMN checksum VARCHAR(16)"
KEPT_IN_FILE = "in a database on the computer that serves this page, not in public"
KEPT_ELSEWHERE = "in a database of the person who asks, not in public"
BUSY_S = 30.0  # how long a writer of SQLite waits for another one
REASONS = {  # what a driver's words say, in ours: its own may hold what was to be stored
    "readonly": "it is read-only",
    "read-only": "it is read-only",
    "full": "its disk is full",
    "no space": "its disk is full",
    "locked": "another program has locked it",
    "unable to open": "its file cannot be opened",
    "no such table": "its tables are gone",
    "does not exist": "its tables are gone",
    "malformed": "its file is damaged",
    "not a database": "its file is damaged",
    "disk i/o": "its disk fails",
    "permission denied": "it allows that to others only",
}


class DatabaseAway(OSError):
    """A database that does not do what it was asked; the sentence holds no data and no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database cannot be used: {reason}")
        self.strerror = f"{self}"


class DatabaseStore(Store):
    """One row per event; the database itself sees to it that none is stored twice.

    An append is a transaction of its own: committed, and with it on disk, when it returns (SQLite
    in write-ahead mode with synchronous=FULL, PostgreSQL by its default). What is deleted from
    SQLite is overwritten, in its file and in its log. Each row has a checksum; a table of an older
    version gets a column for it. SQLite's file is checked when it is opened: where it is damaged,
    rows are looked for without the index, which may lack some.

    Raises:
        ValueError: for a URL that names no known database, or one that cannot be reached; without
            `create`, also for a file that is not there.
        DatabaseAway: (an OSError) by every method, for what fails later.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        try:
            self.engine = _engine(url)
            self.kept = KEPT_IN_FILE if _is_sqlite(self.engine.url) else KEPT_ELSEWHERE
            self._path = _path(self.engine.url)
            if self._path and not create and not self._path.exists():
                raise ValueError(f"there is no database {self._path}.")
            METADATA.create_all(self.engine, [EVENTS])
            self._summed, self._remembers = _extended(self.engine)
            self._file = _identity(self._path)
            self.trouble = _trouble(self.engine)
            if self.trouble:
                _without_index(self.engine)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ValueError(
                f"{url.partition('://')[0]!r} is no database at hand; sqlite:///FILE and "
                "postgresql+psycopg://USER@HOST/NAME are."
            ) from error
        except SQLAlchemyError as error:  # its own words may hold the password
            shown = sql.make_url(url).render_as_string(hide_password=True)
            raise ValueError(f"the database {shown} cannot be reached or written to.") from error

    def append(self, event: Event) -> bool:
        row = {"study": event.study, "session": event.session, "kind": event.kind}
        row |= {"number": event.index, "data": json.dumps(event.data, ensure_ascii=False)}
        if self._summed:
            row["checksum"] = event.checksum
        try:
            with self._transaction() as connection:
                connection.execute(EVENTS.insert().values(row))
        except IntegrityError:
            return self._set_aside(event) and self.append(event)
        return True

    def read(self, study: str, session: str) -> list[Event]:
        checked = EVENTS.c.checksum if self._summed else sql.null()
        columns = (EVENTS.c.kind, EVENTS.c.number, EVENTS.c.data, checked)
        wanted = sql.select(*columns).where(*_of(study, session)).order_by(EVENTS.c.id)
        with self._transaction() as connection:
            rows = connection.execute(wanted).all()
        return [*once(_event(study, session, place, *row) for place, row in enumerate(rows))]

    def studies(self) -> list[str]:
        return self._names(EVENTS.c.study, EVENTS.c.session == STUDY)

    def orphans(self) -> list[str]:
        # a name that was damaged is none any more, and its rows are there all the same
        return sorted({*map(str, self._distinct(EVENTS.c.study))} - {*self.studies()})

    def deleted(self) -> set[str]:
        if not self._remembers:
            return set()
        with self._transaction() as connection:
            return {*connection.scalars(sql.select(DELETED.c.study))}

    def sessions(self, study: str) -> list[str]:
        return self._names(EVENTS.c.session, EVENTS.c.study == study, EVENTS.c.session != STUDY)

    def strays(self, study: str) -> list[str]:
        names = self._distinct(EVENTS.c.session, EVENTS.c.study == study)
        return sorted(repr(name) for name in names if not _is_name(name))

    def delete(self, study: str, session: str | None = None) -> None:
        if session is None and self._remembers:
            with suppress(IntegrityError), self._transaction() as connection:
                connection.execute(DELETED.insert().values(study=study))
        with self._transaction() as connection:
            connection.execute(EVENTS.delete().where(*_of(study, session)))
        if self._path:
            with self._transaction() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def _set_aside(self, event: Event) -> bool:
        """Makes room for an event where a damaged row has its place; the row stays, as damaged."""
        if any(known.key == event.key for known in self.read(event.study, event.session)):
            return False
        place = (EVENTS.c.kind == event.kind, EVENTS.c.number == event.index)
        moved = EVENTS.update().where(*_of(event.study, event.session), *place)
        with self._transaction() as connection:
            return connection.execute(moved.values(kind=DAMAGED, number=EVENTS.c.id)).rowcount > 0

    def stamp(self, study: str, session: str) -> Hashable:
        return self._stamps(study, EVENTS.c.session == session).get(session)

    def stamps(self, study: str) -> dict[str, Hashable]:
        return self._stamps(study, EVENTS.c.session != STUDY)

    def _stamps(self, study: str, which: sql.ColumnElement[bool]) -> dict[str, Hashable]:
        name = EVENTS.c.session
        wanted = sql.select(name, *STAMP).where(EVENTS.c.study == study, which).group_by(name)
        wanted = wanted.order_by(sql.func.min(EVENTS.c.id))
        with self._transaction() as connection:
            return {name: tuple(rest) for name, *rest in connection.execute(wanted)}

    def _names(self, column: sql.Column, *where: sql.ColumnElement[bool]) -> list[str]:
        return [name for name in self._distinct(column, *where) if _is_name(name)]

    def _distinct(self, column: sql.Column, *where: sql.ColumnElement[bool]) -> list[Any]:
        first = sql.func.min(EVENTS.c.id)
        wanted = sql.select(column).where(*where).group_by(column).order_by(first)
        with self._transaction() as connection:
            return [*connection.scalars(wanted)]

    @contextmanager
    def _transaction(self) -> Iterator[sql.Connection]:
        """A transaction; every error but that of a row that is there already is `DatabaseAway`."""
        self._check_file()
        try:
            with self.engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:  # a driver's own words, and its traceback, may hold data
            words = str(getattr(error, "orig", error)).lower()
            known = [ours for theirs, ours in REASONS.items() if theirs in words]
            raise DatabaseAway(known[0] if known else "it does not answer") from None
        self._check_file()

    def _check_file(self) -> None:
        """DatabaseAway if the file is gone: SQLite goes on in it, and nothing of it would stay.

        Another file in its place is opened anew.
        """
        file = _identity(self._path)
        if file == self._file:
            return
        self.engine.dispose()
        if file is None:
            raise DatabaseAway("its file is gone")
        self._file = file
        raise DatabaseAway("its file is another one than before; try again")


def _event(
    study: str, session: str, place: int, kind: Any, number: Any, data: Any, known: Any
) -> Event:
    """A row as an event; of the kind `DAMAGED` where it is not as it was written."""
    try:
        event = Event(study, session, kind, number, json.loads(data))
        if event.checksum == known or known is None:  # which raises for bytes that are no text
            return event
    except (ValueError, TypeError, RecursionError):
        pass
    hint = {"kind": kind} if isinstance(kind, str) else {}
    return Event(study, session, DAMAGED, number if type(number) is int else place, hint)


def _of(study: str, session: str | None) -> list[sql.ColumnElement[bool]]:
    of_session = [] if session is None else [EVENTS.c.session == session]
    return [EVENTS.c.study == study, *of_session]


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(NAME.fullmatch(name))


def _is_sqlite(url: sql.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _path(url: sql.URL) -> Path | None:
    """SQLite's file; None for other databases, and for one in memory."""
    in_file = _is_sqlite(url) and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if in_file and "uri" not in url.query else None


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Which file it is that has this name now; None where there is none."""
    if path is not None:
        with suppress(OSError):
            status = path.stat()
            return status.st_dev, status.st_ino
    return None


def _trouble(engine: sql.Engine) -> str:
    """A sentence if SQLite's file is damaged, by its own check; no other database can be asked."""
    if not _is_sqlite(engine.url):
        return ""
    try:
        with engine.connect() as connection:
            sound = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar() == "ok"
    except SQLAlchemyError:
        sound = False
    return "" if sound else "The database's file is damaged: answers may be missing."


def _without_index(engine: sql.Engine) -> None:
    """From now on, rows are looked for in the whole table."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def scan(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> Any:
        if statement.startswith("SELECT"):
            table = f"FROM {EVENTS.name}"
            statement = statement.replace(table, f"{table} NOT INDEXED", 1)
        return statement, parameters


def _extended(engine: sql.Engine) -> tuple[bool, bool]:
    """Whether there is a column for checksums, and a table of what was deleted.

    A database of an older version gets them, if this user may write there.
    """

    def is_summed() -> bool:
        columns = sql.inspect(engine).get_columns(EVENTS.name)
        return "checksum" in [column["name"] for column in columns]

    with suppress(SQLAlchemyError):  # another server may have been faster
        METADATA.create_all(engine, [DELETED])
    if not is_summed():
        with suppress(SQLAlchemyError), engine.begin() as connection:
            connection.exec_driver_sql(ADD_CHECKSUM)
    return is_summed(), sql.inspect(engine).has_table(DELETED.name)


def _engine(url: str) -> sql.Engine:
    if not _is_sqlite(sql.make_url(url)):
        return sql.create_engine(url, pool_pre_ping=True, hide_parameters=True)
    engine = sql.create_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
