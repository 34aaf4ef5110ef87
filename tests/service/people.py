"""Users of every level with a session and a key each, and things that belong to them, for tests of who may do what."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx

from domain.access import LEVELS, Actor, Rights
from domain.application import SimpleTuner
from domain.training_run import RunState, TrainingRun
from service.access.accounts import open_session
from service.access.administration import create_user
from service.access.key_ring import write_key
from service.access.sessions import COOKIE
from service.audit.key import ensure_audit_key
from service.database import Database
from service.graphql.scalars import encode_id
from service.read_models.projection import project
from service.read_models.user import find_user
from service.settings import read_settings
from service.store import open_application
from tests.service.conftest import Script, Server

CONSOLE = Actor(user_id=None, via="command line")
SEES_ALL = Rights(uuid4(), LEVELS["admin"])
PASSWORD = "three unrelated words"


@dataclass(frozen=True)
class Person:
    id: UUID
    username: str
    session: Script
    key: Script

    @property
    def actor(self) -> Actor:
        return Actor(user_id=self.id, via="command line")

    @property
    def global_id(self) -> str:
        return encode_id("User", self.id)


class Household:
    """The database of a running service, written to from beside it, as its command line does."""

    def __init__(self, server: Server) -> None:
        self.server = server
        settings = read_settings({"SIMPLETUNER_WORKSPACE": str(server.workspace)})
        self.database = Database(settings.database_url)
        self.application: SimpleTuner = open_application(
            self.database, project=project, audit_key=ensure_audit_key(settings)
        )
        self._numbers = count(1)

    def new_person(self, username: str, levels: Sequence[str], **rights: Any) -> Person:
        user_id = create_user(
            self.application,
            CONSOLE,
            email=f"{username}@example.org",
            username=username,
            password=PASSWORD,
            levels=levels,
        )
        if rights:
            self.application.change_user(user_id, lambda user: user.change_rights(CONSOLE, **rights))
        return Person(user_id, username, self.new_session(user_id), self.new_key(user_id))

    def new_session(self, user_id: UUID) -> Script:
        with self.database.reading() as session:
            row = find_user(session, user_id)
        assert row is not None
        token = open_session(self.application, row, user_agent="tests", address="127.0.0.1", through="password")
        return Script(self.server, client=httpx.Client(timeout=30, cookies={COOKIE: token}))

    def new_key(self, user_id: UUID, permissions: Sequence[str] | None = None) -> Script:
        secret, _ = write_key(
            self.application, CONSOLE, user_id, name="tests", permissions=permissions, expires_at=None
        )
        return Script(self.server, api_key=secret)

    def new_environment(self, owner: Actor, name: str = "") -> UUID:
        config = {"model_family": "sd1x"}
        return self.application.create_environment(owner, name=name or f"thing-{next(self._numbers)}", config=config)

    def new_dataset(self, owner: Actor, name: str = "") -> UUID:
        config = {"instance_data_dir": "/nowhere"}
        return self.application.create_dataset(owner, name=name or f"thing-{next(self._numbers)}", config=config)

    def new_run(self, owner: Actor, name: str = "") -> UUID:
        """One that is finished, so that no command of it starts or stops anything."""
        run = TrainingRun.request(
            owner,
            name=name or f"thing-{next(self._numbers)}",
            environment_id=self.new_environment(owner),
            environment_revision=1,
            config={},
            datasets=[],
            devices=[],
        )
        run.end(CONSOLE, outcome=RunState.FINISHED, reason=None)
        self.application.save(run)
        return run.id
