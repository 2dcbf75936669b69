"""A store in any database that SQLAlchemy speaks to: SQLite for one server, PostgreSQL for many."""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from robustaudio.listening.store import DAMAGED, STUDY, Event

EVENTS = sql.Table(
    "listening_events",
    sql.MetaData(),
    sql.Column("id", sql.Integer, primary_key=True, autoincrement=True),
    sql.Column("study", sql.String(64), nullable=False),
    sql.Column("session", sql.String(64), nullable=False),
    sql.Column("kind", sql.String(32), nullable=False),
    sql.Column("number", sql.Integer, nullable=False),
    sql.Column("data", sql.Text, nullable=False),
    sql.UniqueConstraint("study", "session", "kind", "number"),
)
KEPT_IN_FILE = "in a database on the computer that serves this page, not in public"
KEPT_ELSEWHERE = "in a database of the person who asks, not in public"
BUSY_S = 30.0  # how long a writer of SQLite waits for another one


class DatabaseStore:
    """One row per event; the database itself sees to it that none is stored twice.

    An append is a transaction of its own: committed, and with it on disk, when it returns (SQLite
    in write-ahead mode with synchronous=FULL, PostgreSQL by its default). What is deleted from
    SQLite is overwritten, in its file and in its log.

    Raises:
        ValueError: for a URL that names no known database, or one that cannot be reached; without
            `create`, also for a file that is not there.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        try:
            self.engine = _engine(url)
            self.kept = KEPT_IN_FILE if _is_sqlite(self.engine.url) else KEPT_ELSEWHERE
            file = self.engine.url.database
            if _is_sqlite(self.engine.url) and not create and not Path(str(file)).exists():
                raise ValueError(f"there is no database {file}.")
            EVENTS.metadata.create_all(self.engine)
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ValueError(
                f"{url.partition('://')[0]!r} is no database at hand; sqlite:///FILE and "
                "postgresql+psycopg://USER@HOST/NAME are."
            ) from error
        except SQLAlchemyError as error:  # its own words may hold the password
            shown = sql.make_url(url).render_as_string(hide_password=True)
            raise ValueError(f"the database {shown} cannot be reached or written to.") from error

    def append(self, event: Event) -> bool:
        row = {
            "study": event.study,
            "session": event.session,
            "kind": event.kind,
            "number": event.index,
            "data": json.dumps(event.data, ensure_ascii=False),
        }
        try:
            with self.engine.begin() as connection:
                connection.execute(EVENTS.insert().values(row))
        except IntegrityError:
            return False
        return True

    def read(self, study: str, session: str) -> list[Event]:
        columns = (EVENTS.c.kind, EVENTS.c.number, EVENTS.c.data)
        wanted = sql.select(*columns).where(*_of(study, session)).order_by(EVENTS.c.id)
        with self.engine.connect() as connection:
            rows = connection.execute(wanted).all()
        return [_event(study, session, *row) for row in rows]

    def studies(self) -> list[str]:
        return self._names(EVENTS.c.study, EVENTS.c.session == STUDY)

    def sessions(self, study: str) -> list[str]:
        return self._names(EVENTS.c.session, EVENTS.c.study == study, EVENTS.c.session != STUDY)

    def delete(self, study: str, session: str | None = None) -> None:
        with self.engine.begin() as connection:
            connection.execute(EVENTS.delete().where(*_of(study, session)))
        if _is_sqlite(self.engine.url):
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def stamps(self, study: str) -> dict[str, Hashable]:
        count, last = sql.func.count(), sql.func.max(EVENTS.c.id)
        length = sql.func.sum(sql.func.length(EVENTS.c.data))
        wanted = (
            sql.select(EVENTS.c.session, count, last, length)
            .where(EVENTS.c.study == study, EVENTS.c.session != STUDY)
            .group_by(EVENTS.c.session)
            .order_by(sql.func.min(EVENTS.c.id))
        )
        with self.engine.connect() as connection:
            return {name: tuple(rest) for name, *rest in connection.execute(wanted)}

    def _names(self, column: sql.Column, *where: sql.ColumnElement[bool]) -> list[str]:
        wanted = (
            sql.select(column).where(*where).group_by(column).order_by(sql.func.min(EVENTS.c.id))
        )
        with self.engine.connect() as connection:
            return list(connection.scalars(wanted))


def _event(study: str, session: str, kind: str, number: int, data: str) -> Event:
    """A row as an event; of the kind `DAMAGED` where its data can no longer be read."""
    try:
        return Event(study, session, kind, number, json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return Event(study, session, DAMAGED, number)


def _of(study: str, session: str | None) -> list[sql.ColumnElement[bool]]:
    of_session = [] if session is None else [EVENTS.c.session == session]
    return [EVENTS.c.study == study, *of_session]


def _is_sqlite(url: sql.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _engine(url: str) -> sql.Engine:
    if not _is_sqlite(sql.make_url(url)):
        return sql.create_engine(url, pool_pre_ping=True)
    engine = sql.create_engine(url, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    return engine
