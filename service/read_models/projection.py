"""All read models together: what an event writes, and how they are made anew."""

from sqlalchemy import delete
from sqlalchemy.orm import Session

from domain.aggregate import Noun
from domain.application import SimpleTuner
from service.database import Database
from service.read_models import audit, dataset, environment, policy, training_run, user
from service.store import replay

NOUNS = (user, policy, dataset, environment, training_run, audit)
TABLES = tuple(table for noun in NOUNS for table in noun.TABLES)


def project(session: Session, event: Noun.Event, position: int) -> None:
    for noun in NOUNS:
        noun.project(session, event, position)


def rebuild(application: SimpleTuner, database: Database) -> int:
    """Empty the read models and fill them from the events, in one transaction; returns the number of events."""
    with database.writing() as session:
        for table in TABLES:
            session.execute(delete(table))
        return replay(application, session, project=project)
