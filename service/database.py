"""The engine and its transactions: SQLite by default, PostgreSQL by URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy.exc
from sqlalchemy import Connection, Engine, ExceptionContext, MetaData, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

metadata = MetaData()
"""Every table of ours; the event store's own one is kept by its library."""

BUSY_TIMEOUT_SECONDS = 30


def open_engine(url: str) -> Engine:
    """Its errors do not tell values, which may be digests and addresses: errors end up in logs.

    Raises sqlalchemy.exc.ArgumentError for a URL that cannot be read.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True)
        event.listen(engine, "handle_error", _withhold_row)
        return engine
    engine = create_engine(
        parsed,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _withhold_row(context: ExceptionContext) -> None:
    """PostgreSQL shows the row that it refuses in the details of its message."""
    diagnosis = getattr(context.original_exception, "diag", None)
    detail = diagnosis.message_detail if diagnosis is not None else None
    if detail:
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None:
                error.args = tuple(
                    each.replace(detail, "withheld") if isinstance(each, str) else each for each in error.args
                )


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """WAL lets readers and the writer go on together and, with NORMAL, survives the death of the process."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the beginning: a transaction that reads first could not be promoted to a writing one."""
    is_writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


class Database:
    """Transactions for reading, which see one state, and for writing, which are all or nothing."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url)
        self.sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.sessions() as session:
            if self.engine.dialect.name == "postgresql":
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.sessions() as session:
            session.connection(execution_options={"writing": True})
            yield session
            session.commit()

    def create_tables(self) -> None:
        metadata.create_all(self.engine)

    def close(self) -> None:
        self.engine.dispose()


def constraint_of(error: sqlalchemy.exc.IntegrityError) -> str:
    """What the database says was violated: the constraint on PostgreSQL, table.column on SQLite."""
    diagnosis = getattr(error.orig, "diag", None)
    return str(diagnosis.constraint_name) if diagnosis is not None else str(error.orig)
