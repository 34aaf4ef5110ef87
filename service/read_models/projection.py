"""All read models together: what an event writes, and how they are made anew."""

import logging

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from domain.aggregate import Noun
from domain.application import SimpleTuner
from service.database import Database, metadata
from service.read_models import audit, dataset, environment, policy, training_run, user
from service.store import replay

log = logging.getLogger(__name__)

NOUNS = (user, policy, dataset, environment, training_run, audit)
TABLES = tuple(table for noun in NOUNS for table in noun.TABLES)


def project(session: Session, event: Noun.Event, position: int) -> None:
    for noun in NOUNS:
        noun.project(session, event, position)


def rebuild(application: SimpleTuner, database: Database) -> int:
    """Make the read models anew from the events, in one transaction; returns the number of events."""
    with database.writing() as session:
        connection = session.connection()
        metadata.drop_all(connection, tables=TABLES)
        metadata.create_all(connection, tables=TABLES)
        return replay(application, session, project=project)


def make_current(application: SimpleTuner, database: Database) -> None:
    """Make the read models anew when an earlier version has left other columns than this one has."""
    inspector = inspect(database.engine)
    if any(
        {column["name"] for column in inspector.get_columns(table.name)} != set(table.columns.keys())
        for table in TABLES
    ):
        log.info("events=%d the read models were made anew for this version", rebuild(application, database))
