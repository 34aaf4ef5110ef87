"""The event store over SQLAlchemy: events, read models and what goes along with them in one transaction."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy.exc
from eventsourcing.persistence import (
    DatabaseError,
    DataError,
    InfrastructureFactory,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    PersistenceError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.utils import Environment as LibrarySettings
from eventsourcing_sqlalchemy.datastore import SQLAlchemyDatastore
from eventsourcing_sqlalchemy.factory import SQLAlchemyFactory
from eventsourcing_sqlalchemy.recorders import SQLAlchemyApplicationRecorder
from sqlalchemy import Table
from sqlalchemy.orm import Session

from domain.aggregate import Noun
from domain.application import Along, SimpleTuner
from service.audit.chain import append_links, event_chain
from service.database import Database

Project = Callable[[Session, Noun.Event, int], None]
"""Writes the rows that follow from an event; the number is its position, the notification id."""

EVENTS_TABLE = "events"
REBUILD_BATCH = 500


class Recorder(SQLAlchemyApplicationRecorder):
    """The library's recorder, with read models and the hash chain in its transaction, and errors never swallowed.

    The library's own transaction drops operational errors on SQLite (a full disk, for one), so that a command would
    be acknowledged and lost; writing goes through Database.writing instead.
    """

    def __init__(
        self, datastore: SQLAlchemyDatastore, *, events_table_name: str, schema_name: str | None = None
    ) -> None:
        super().__init__(datastore, events_table_name=events_table_name, schema_name=schema_name)
        self.tables.append(event_chain)
        self.database: Database | None = None
        self.audit_key: bytes | None = None
        self.project: Callable[[Session, StoredEvent, int], None] | None = None
        self.on_commit: list[Callable[[], None]] = []

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, along: Along | None = None, **_: Any
    ) -> Sequence[int] | None:
        assert self.database is not None
        assert self.audit_key is not None
        with translated_errors(), self.database.writing() as session:
            positions = self._insert_stored_events(session, stored_events) if stored_events else []
            if stored_events:
                append_links(session, self.audit_key, stored_events, positions=positions)
            if self.project:
                for stored_event, position in zip(stored_events, positions, strict=True):
                    self.project(session, stored_event, position)
            if along:
                along(session)
        for notify in self.on_commit:
            notify()
        return positions

    @property
    def events(self) -> Table:
        return cast(Table, self.events_record_cls.__table__)

    def lock_events(self, session: Session) -> None:
        """Keep other writers out until the transaction ends, as each insert does."""
        self._lock_table(session)


class Factory(SQLAlchemyFactory):
    application_recorder_class = Recorder

    def __init__(self, database: Database, *, audit_key: bytes) -> None:
        InfrastructureFactory.__init__(self, LibrarySettings(env={}))
        self._schema_name = None
        self.database = database
        self.audit_key = audit_key
        self.datastore = SQLAlchemyDatastore(session_maker=database.sessions)

    def application_recorder(self) -> Recorder:
        recorder = Recorder(self.datastore, events_table_name=EVENTS_TABLE)
        recorder.database = self.database
        recorder.audit_key = self.audit_key
        recorder.create_table()
        return recorder


@contextmanager
def translated_errors() -> Iterator[None]:
    """SQLAlchemy's errors as the event-sourcing library names them; refusals of read models pass as they are."""
    try:
        yield
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise _translate(error) from error


def _translate(error: sqlalchemy.exc.SQLAlchemyError) -> PersistenceError:
    for theirs, ours in (
        (sqlalchemy.exc.IntegrityError, IntegrityError),
        (sqlalchemy.exc.OperationalError, OperationalError),
        (sqlalchemy.exc.InterfaceError, InterfaceError),
        (sqlalchemy.exc.DataError, DataError),
        (sqlalchemy.exc.InternalError, InternalError),
        (sqlalchemy.exc.ProgrammingError, ProgrammingError),
        (sqlalchemy.exc.NotSupportedError, NotSupportedError),
        (sqlalchemy.exc.DatabaseError, DatabaseError),
    ):
        if isinstance(error, theirs):
            return ours(str(error))
    return PersistenceError(str(error))


def open_application(database: Database, *, project: Project, audit_key: bytes) -> SimpleTuner:
    """The use cases on this database, with read models kept by `project` and events chained with the key."""
    application = SimpleTuner(Factory(database, audit_key=audit_key))
    recorder = cast(Recorder, application.recorder)
    mapper = application.mapper
    recorder.project = lambda session, stored, position: project(
        session, cast(Noun.Event, mapper.to_domain_event(stored)), position
    )
    return application


def on_commit(application: SimpleTuner, notify: Callable[[], None]) -> None:
    """Call `notify` after each committed save, in the thread that saved."""
    cast(Recorder, application.recorder).on_commit.append(notify)


def events_table(application: SimpleTuner) -> Table:
    return cast(Recorder, application.recorder).events


def replay(application: SimpleTuner, session: Session, *, project: Project) -> int:
    """Give every stored event to `project`, from the first one; returns how many there were. Nobody writes meanwhile."""
    recorder = cast(Recorder, application.recorder)
    recorder.lock_events(session)
    mapper = application.mapper
    num_events = 0
    position = 0
    while batch := recorder.select_notifications(start=position, limit=REBUILD_BATCH, inclusive_of_start=False):
        for notification in batch:
            project(session, cast(Noun.Event, mapper.to_domain_event(notification)), notification.id)
        num_events += len(batch)
        position = batch[-1].id
    return num_events
