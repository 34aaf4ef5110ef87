"""How secrets reach the processes of a run, and everywhere that they do not show; with real processes."""

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, inspect, select, text

from domain.policy import POLICY_ID
from service.database import Database
from service.launchers import local
from service.launchers.local import LAUNCHER_FILE
from service.secrets.handover import secrets_of_run
from service.secrets.key import KEY_FILE, KeyRing
from service.secrets.vault import Vault, sealed_values
from tests.service import hubs
from tests.service.conftest import Server
from tests.service.hubs import running_hub
from tests.service.test_runs import Runs, key_of
from trainer import wire
from trainer.secrets import withhold

ROOT = Path(__file__).parents[2]
VALUE = "very-recognisable-" + "7" * 30
SECRETS = {"HF_TOKEN": VALUE, "COMET_API_KEY": "ü" * 3000}
PRESENT_TRAINER = """
import hashlib, json, os, sys, time
from pathlib import Path
from trainer.secrets import take_secrets
secrets = take_secrets()
found = {name: hashlib.sha256(os.environ[name].encode()).hexdigest() for name in secrets}
shown = Path("/proc/self/environ").read_bytes()
told = {"pid": os.getpid(), "found": found, "stdin": os.readlink("/proc/self/fd/0"),
        "shown": sorted(name for name, value in secrets.items() if value.encode() in shown)}
Path(sys.argv[1], "told-" + os.environ["RANK"]).write_text(json.dumps(told))
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.02)
"""


def wait_for(is_reached: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def launched(run_dir: Path, code: Path) -> Iterator[list[dict[str, Any]]]:
    """What two processes of a run tell of themselves, while they go on."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(code)}
    run = local.launch(run_dir, num_processes=2, devices=(), environment=environment, secrets=SECRETS)
    told = [run_dir / f"told-{rank}" for rank in range(2)]
    wait_for(lambda: all(path.exists() and path.read_text().endswith("}") for path in told))
    yield [json.loads(path.read_text()) for path in told]
    (run_dir / "go").touch()
    assert run.process is not None
    assert run.process.wait(timeout=60) == 0


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A package `trainer` that takes its secrets as the real one does, and then only waits."""
    package = tmp_path / "code" / "trainer"
    package.mkdir(parents=True)
    for name in ("__init__.py", "wire.py", "secrets.py"):
        shutil.copy(ROOT / "trainer" / name, package)
    (package / "__main__.py").write_text(PRESENT_TRAINER)
    return package.parent


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_each_process_has_the_secrets_and_nothing_shows_them(tmp_path: Path, code: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    expected = {name: hashlib.sha256(value.encode()).hexdigest() for name, value in SECRETS.items()}
    with launched(run_dir, code) as processes:
        assert [each["found"] for each in processes] == [expected, expected]
        assert [(each["stdin"], each["shown"]) for each in processes] == [("/dev/null", [])] * 2
        launcher = int(json.loads((run_dir / LAUNCHER_FILE).read_text())["pid"])
        for pid in (launcher, *(each["pid"] for each in processes)):
            for file in ("cmdline", "environ"):
                assert VALUE.encode() not in Path(f"/proc/{pid}/{file}").read_bytes()
        assert VALUE not in subprocess.run(["ps", "auxewww"], capture_output=True, text=True, check=True).stdout
        assert as_somebody_else(f"cat /proc/{launcher}/fd/0 /proc/{launcher}/environ; ps auxewww").count(VALUE) == 0
        assert [path for path in run_dir.iterdir() if VALUE.encode() in path.read_bytes()] == []


def as_somebody_else(command: str) -> str:
    """What another user of the machine is shown; nothing where tests may not become one."""
    if os.getuid() != 0:
        return ""
    nobody = pwd.getpwnam("nobody").pw_uid
    done = subprocess.run(["sh", "-c", command], user=nobody, capture_output=True, text=True, check=False)
    assert "ermission denied" in done.stderr
    return done.stdout


def test_nobody_can_alter_what_was_handed_over() -> None:
    with local.standard_input(SECRETS) as descriptor:
        assert wire.read_secrets(descriptor) == SECRETS
        assert wire.read_secrets(descriptor) == SECRETS
        if sys.platform == "linux":
            with pytest.raises(OSError, match="not permitted"):
                os.pwrite(descriptor, b"x", 0)
            with pytest.raises(OSError, match="not permitted"):
                os.ftruncate(descriptor, 0)


@pytest.mark.parametrize("content", [b"", b"hello\n", wire.SECRETS_MARK[:-1]])
def test_other_standard_input_holds_no_secrets(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "input"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert wire.read_secrets(file.fileno()) == {}
    reading, writing = os.pipe()
    assert wire.read_secrets(reading) == {}
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"HF_TOKEN": 1}', b'{"HF_TOK'])
def test_damaged_secrets_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "input"
    path.write_bytes(wire.SECRETS_MARK + content)
    with path.open("rb") as file, pytest.raises(wire.WireError, match="the secrets of the run cannot be read"):
        wire.read_secrets(file.fileno())


def test_closed_standard_input_is_no_trouble() -> None:
    code = "import os; os.close(0); from trainer.secrets import take_secrets; print(take_secrets())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"


def test_values_are_withheld_from_what_is_told() -> None:
    secrets = {"A_KEY": "abcdef", "B_KEY": "abcdefgh", "C_KEY": "ab"}
    assert withhold("ab: abcdefgh and abcdef", secrets) == "ab: [withheld] and [withheld]"


# ---- the whole service


def test_value_reaches_the_hub_and_is_found_nowhere(new_server: Callable[..., Server], tmp_path: Path) -> None:
    """A run of a gated model: its trainer shows the token to the Hub, which refuses, and says what to do."""
    with running_hub() as hub:
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "0"}
        runs = Runs(new_server(**settings).start())
        store_all(runs)
        command_lines = set[bytes]()

        def has_ended(run: Any) -> bool:
            command_lines.update(read_command_lines())
            return bool(run["state"] == "FAILED")

        ended = runs.wait(run_id := runs.start(), has_ended)
        asked = [(path, token) for path, token in hub.seen if path == "/api/models/someone/gated"]
    assert "the Hub does not give someone/gated to the account of your token: accept its terms at" in ended["endReason"]
    assert set(asked) == {("/api/models/someone/gated", hubs.WRITE)}
    assert any(b"trainer" in line and key_of(run_id).encode() in line for line in command_lines)
    for value in (hubs.WRITE, VALUE):
        assert [line for line in command_lines if value.encode() in line] == []
        assert [path for path in files_below(tmp_path) if value.encode() in path.read_bytes()] == []
    assert [path for path in files_below(tmp_path) if b"anna-hub" in path.read_bytes()] != []
    database = Database(f"sqlite:///{runs.server.workspace / 'simpletuner.sqlite3'}")
    with database.reading() as session:
        names = inspect(database.engine).get_table_names()
        rows = [str(row) for name in names for row in session.execute(text(f'SELECT * FROM "{name}"'))]
        assert session.scalar(select(func.count()).select_from(sealed_values)) == 3
    assert [row for row in rows if VALUE in row or hubs.WRITE in row] == []
    database.close()


def store_all(runs: Runs) -> None:
    """A token of the Hub, another secret, one of a sign-in provider; and a gated model to train on."""
    document = "mutation ($i: SetSecretInput!) { setSecret(input: $i) { errors { message } } }"
    for given in (
        {"kind": "HUGGING_FACE", "value": hubs.WRITE},
        {"kind": "OTHER", "name": "COMET_API_KEY", "value": VALUE, "scope": "SHARED"},
    ):
        assert runs.script.ask(document, i=given)["setSecret"]["errors"] == []
    config = {"name": "Example", "issuer": "https://id.example.org", "client_id": "tuner"}
    document = "mutation ($i: CreateAuthProviderInput!) { createAuthProvider(input: $i) { errors { message } } }"
    provider = {"kind": "OIDC", "config": config, "secret": VALUE}
    assert runs.script.ask(document, i=provider)["createAuthProvider"]["errors"] == []
    document = "mutation ($i: UpdateEnvironmentInput!) { updateEnvironment(input: $i) { errors { message } } }"
    change = {
        "id": runs.environment_id,
        "expectedVersion": 2,
        "set": {"pretrained_model_name_or_path": "someone/gated"},
    }
    assert runs.script.ask(document, i=change)["updateEnvironment"]["errors"] == []


def read_command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_run_that_cannot_have_its_secrets_fails_and_says_so(new_server: Callable[..., Server]) -> None:
    """The service itself starts and goes on with a wrong key, and what is stored again is good again."""
    server = new_server(SIMPLETUNER_SECRET_KEY="5" * 64)
    database = Database(f"sqlite:///{server.workspace / 'simpletuner.sqlite3'}")
    database.create_tables()
    with database.writing() as session:
        Vault(KeyRing(server.workspace / KEY_FILE, None)).put(session, POLICY_ID, "COMET_API_KEY", VALUE)
    runs = Runs(server.start())
    ended = runs.wait(runs.start(), lambda run: run["state"] == "FAILED")
    assert ended["endReason"] == (
        "the trainer could not be started: the secret COMET_API_KEY cannot be read: it was sealed with another key than "
        "that in SIMPLETUNER_SECRET_KEY; put the earlier key back, or store the secret again"
    )
    assert "ERROR service.app secrets: 1 stored secrets cannot be read" in server.log()
    document = "mutation ($i: SetSecretInput!) { setSecret(input: $i) { errors { message } } }"
    again = {"kind": "OTHER", "name": "COMET_API_KEY", "value": VALUE, "scope": "SHARED"}
    assert runs.script.ask(document, i=again)["setSecret"]["errors"] == []
    assert secrets_of_run(database, Vault(KeyRing(Path(), "5" * 64)), None) == {"COMET_API_KEY": VALUE}
    database.close()
