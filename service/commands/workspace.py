"""What a command works on: the database and the use cases of the workspace, and how it prints."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from eventsourcing.persistence import PersistenceError
from sqlalchemy.exc import SQLAlchemyError

from domain.application import SimpleTuner
from domain.errors import NotFound
from service.audit.key import ensure_audit_key
from service.database import Database
from service.read_models.projection import make_current, project
from service.read_models.user import UserRow, find_login
from service.server import opened_database
from service.settings import Settings, SettingsError, read_settings
from service.store import open_application


@dataclass(frozen=True, slots=True)
class Workspace:
    settings: Settings
    database: Database
    application: SimpleTuner

    def find_user(self, login: str) -> UserRow:
        """By username or e-mail address. Raises NotFound."""
        with self.database.reading() as session:
            user = find_login(session, login)
        if user is None:
            raise NotFound(f"there is no user {login!r}; simpletuner user list prints all")
        return user


@contextmanager
def opened_workspace() -> Iterator[Workspace]:
    """Raises SettingsError when the database or the key cannot be had, or the database fails on the way."""
    settings = read_settings()
    with opened_database(settings) as database:
        try:
            application = open_application(database, project=project, audit_key=ensure_audit_key(settings))
            make_current(application, database)
            yield Workspace(settings, database, application)
        except (SQLAlchemyError, PersistenceError) as error:
            raise SettingsError(f"the database failed: {' '.join(str(error).split())}") from error


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = [titles, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    for row in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
