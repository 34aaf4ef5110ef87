"""The event-sourcing library's own conformance kit on the recorder that we use, on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import ApplicationRecorder
from eventsourcing.tests.persistence import ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase

from service.database import Database
from service.store import Factory
from tests.service.conftest import AUDIT_KEY, new_postgres_database


class OnDatabase:
    """Each test has a database of its own."""

    database: Database

    @pytest.fixture(autouse=True)
    def _open(self, url: str) -> Iterator[None]:
        self.database = Database(url)
        yield
        self.database.close()

    def create_recorder(self) -> ApplicationRecorder:
        return Factory(self.database, audit_key=AUDIT_KEY).application_recorder()


class OnSQLite(OnDatabase):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'conformance.sqlite3'}"


class OnPostgreSQL(OnDatabase):
    @pytest.fixture
    def url(self, postgres: str) -> Iterator[str]:
        yield from new_postgres_database(postgres)


class TestRecorderOnSQLite(OnSQLite, ApplicationRecorderTestCase[Any]):
    pass


class TestRecorderOnPostgreSQL(OnPostgreSQL, ApplicationRecorderTestCase[Any]):
    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = False


class TestOrderOnSQLite(OnSQLite, NonInterleavingNotificationIDsBaseCase):
    pass


class TestOrderOnPostgreSQL(OnPostgreSQL, NonInterleavingNotificationIDsBaseCase):
    pass
