"""The command `simpletuner`: starting, refusing to start, and what it never loads."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from sqlalchemy import text

from service.database import Database
from service.settings import SettingsError, read_settings
from tests.service.conftest import ADMIN, Script, Server, free_port, new_postgres_database, set_up

HEAVY = ("torch", "diffusers", "transformers", "peft", "accelerate", "numpy")


def simpletuner(*arguments: str, workspace: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        env=os.environ | {"SIMPLETUNER_WORKSPACE": str(workspace)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_service_loads_nothing_heavy() -> None:
    code = f"import service.app, service.server, service.graphql.http, sys; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = simpletuner("server", "--port", str(port), workspace=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    expected = f"cannot listen on 127.0.0.1 port {port}: Address already in use; choose another with --host and --port"
    assert refused.stderr == f"simpletuner: {expected}\n"


def test_workspace_in_use_is_one_clear_line(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    refused = simpletuner("server", "--port", str(free_port()), workspace=server.workspace)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"simpletuner: another service is using the workspace {server.workspace}")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SIMPLETUNER_DATABASE_URL": "mysql://x"}, "must begin with sqlite:// or postgresql://"),
        ({"SIMPLETUNER_MAX_RUNNING": "none"}, "SIMPLETUNER_MAX_RUNNING is 'none' but must be a whole number"),
        ({"SIMPLETUNER_WORKSPACE": "/proc/nothing"}, "the workspace /proc/nothing cannot be made"),
        ({"SIMPLETUNER_DATABASE_URL": "sqlite:////no/such/folder/x.sqlite3"}, "the database cannot be opened"),
        ({"SIMPLETUNER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, "the database cannot be opened"),
    ],
)
def test_impossible_setting_is_one_clear_line(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    refused = simpletuner("server", "--port", str(free_port()), workspace=tmp_path, **environment)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_workspace_is_below_home_unless_set() -> None:
    with pytest.raises(SettingsError, match="SIMPLETUNER_WORKSPACE"):
        read_settings({"SIMPLETUNER_WORKSPACE": "/dev/null/x"})
    home = os.path.expanduser("~")
    existed = Path(home, ".simpletuner").exists()
    assert read_settings({}).workspace == Path(home, ".simpletuner")
    if not existed:
        Path(home, ".simpletuner").rmdir()


def test_ssl_makes_a_certificate_and_uses_it_again(new_server: Callable[..., Server]) -> None:
    server = new_server("--ssl")
    first = start_and_fetch_certificate(server)
    second = start_and_fetch_certificate(server)
    assert first == second
    assert oct((server.workspace / "ssl/server.key").stat().st_mode & 0o777) == "0o600"
    certificate = x509.load_pem_x509_certificate(first.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def start_and_fetch_certificate(server: Server) -> str:
    log = (server.workspace / "server.log").open("ab")
    server.process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "server", "--port", str(server.port), "--ssl"],
        env=os.environ | {"SIMPLETUNER_WORKSPACE": str(server.workspace)},
        stdout=log,
        stderr=log,
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = httpx.get(f"https://127.0.0.1:{server.port}/healthz", verify=ssl_context(server))
            break
        except (httpx.TransportError, OSError):
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.1)
    assert answer.text == "ok"
    cookie = sign_in_cookie(server)
    assert "; secure" in cookie.lower()
    fetched = ssl.get_server_certificate(("127.0.0.1", server.port))
    server.kill(signal.SIGTERM)
    return fetched


def ssl_context(server: Server) -> ssl.SSLContext:
    """Trusts nothing but the certificate of this server."""
    return ssl.create_default_context(cafile=str(server.workspace / "ssl/server.crt"))


def sign_in_cookie(server: Server) -> str:
    document = "mutation ($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { code } } }"
    signing = "mutation ($i: SignInInput!) { signIn(input: $i) { errors { code } } }"
    url = f"https://127.0.0.1:{server.port}/graphql"
    with httpx.Client(verify=ssl_context(server)) as client:
        client.post(url, json={"query": document, "variables": {"i": ADMIN}})
        given = {"login": ADMIN["username"], "password": ADMIN["password"]}
        return client.post(url, json={"query": signing, "variables": {"i": given}}).headers["set-cookie"]


def test_env_starts_training_once_the_service_is_ready(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    script = set_up(server)
    create = "mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { environment { id } } }"
    script.ask(create, i={"name": "ink", "example": "ink-style"})
    server.kill(signal.SIGTERM)
    server.arguments = ("--env", "ink")
    server.start()
    runs = script.ask("{ trainingRuns(first: 1) { edges { node { id name startedBy { username } } } } }")
    (edge,) = runs["trainingRuns"]["edges"]
    assert (edge["node"]["name"], edge["node"]["startedBy"]) == ("ink-1", None)
    stop = "mutation ($i: StopTrainingInput!) { stopTraining(input: $i) { errors { code } } }"
    script.ask(stop, i={"runId": edge["node"]["id"], "mode": "STOP_NOW"})
    wait_for_end(script, edge["node"]["id"])


def wait_for_end(script: Script, run_id: str) -> None:
    deadline = time.monotonic() + 60
    document = "query ($id: ID!) { trainingRun(id: $id) { endedAt } }"
    while script.ask(document, id=run_id)["trainingRun"]["endedAt"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_unknown_env_is_said_and_the_service_serves(new_server: Callable[..., Server]) -> None:
    server = new_server("--env", "nothing").start()
    assert httpx.get(f"{server.url}/healthz").text == "ok"
    assert "environment=nothing there is no such environment; nothing was started" in server.log()


def test_service_runs_on_postgresql(new_server: Callable[..., Server], postgres: str) -> None:
    for url in new_postgres_database(postgres):
        server = new_server(SIMPLETUNER_DATABASE_URL=url).start()
        script = set_up(server)
        create = "mutation ($i: CreateEnvironmentInput!) { createEnvironment(input: $i) { errors { code } } }"
        script.ask(create, i={"name": "ink", "example": "ink-style"})
        server.kill()
        server.start()
        found = script.ask('{ environment(name: "INK") { version datasets { name } } }')["environment"]
        assert found == {"version": 1, "datasets": [{"name": "ink-style"}]}
        server.kill(signal.SIGTERM)


def test_setup_beyond_loopback_wants_the_printed_token(new_server: Callable[..., Server]) -> None:
    server = new_server("--host", "0.0.0.0").start()
    script = Script(server)
    assert script.ask("{ setup { required tokenRequired } }")["setup"] == {"required": True, "tokenRequired": True}
    document = "mutation ($i: CompleteSetupInput!) { completeSetup(input: $i) { errors { code path } } }"
    for guess in ({}, {"setupToken": "guess"}):
        refused = script.ask(document, i=ADMIN | guess)["completeSetup"]
        assert refused["errors"] == [{"code": "INVALID_INPUT", "path": ["setupToken"]}]
    (printed,) = (line for line in server.log().splitlines() if line.startswith("First start:"))
    assert script.ask(document, i=ADMIN | {"setupToken": printed.split()[-1]})["completeSetup"]["errors"] == []
    server.kill(signal.SIGTERM)
    server.start()
    assert server.log().count("First start:") == 1


def test_rebuild_says_how_many_events_there_were(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    set_up(server)
    rebuilt = simpletuner("rebuild", workspace=server.workspace)
    assert (rebuilt.returncode, rebuilt.stdout) == (0, "The read models were made anew from 3 events.\n")


def test_secrets_are_in_no_event_and_no_log(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    script = set_up(server)
    database = Database(f"sqlite:///{server.workspace / 'simpletuner.sqlite3'}")
    with database.reading() as session:
        events = " ".join(row.state.decode() for row in session.execute(text("SELECT state FROM events")))
    for secret in (ADMIN["password"], ADMIN["email"], ADMIN["username"], script.api_key or "-"):
        assert secret not in events
        assert secret not in server.log()


@pytest.mark.parametrize("arguments", [["server", "--port", "0"], ["server", "--port", "x"], ["fly"], []])
def test_impossible_arguments_are_not_understood(tmp_path: Path, arguments: list[str]) -> None:
    refused = simpletuner(*arguments, workspace=tmp_path)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


# ---- simpletuner train


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "config.json: No such file or directory"),
        ({"config.json": "{"}, "cannot be read"),
        ({"config.json": "[]", "multidatabackend.json": "[]"}, "cannot be read"),
        ({"config.json": '{"model_family": "sd9"}', "multidatabackend.json": "[]"}, "model_family is 'sd9'"),
        (
            {"config.json": '{"model_family": "deepfloyd"}', "multidatabackend.json": "[]"},
            "DeepFloyd IF cannot be trained",
        ),
        ({"config.json": '{"model_family": "sd1x"}', "multidatabackend.json": '[{"id": "x"}]'}, "instance_data_dir"),
        ({"config.json": '{"model_family": "sd1x"}', "multidatabackend.json": "[]"}, "has no dataset"),
    ],
)
def test_train_names_what_is_wrong_with_the_folder(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    refused = simpletuner("train", "--env", str(tmp_path), workspace=tmp_path / "workspace")
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_train_works_without_the_service(tmp_path: Path) -> None:
    folder, output = tmp_path / "ink", tmp_path / "run"
    write_short_example(folder)
    trained = simpletuner("train", "--env", str(folder), "--output", str(output), workspace=tmp_path / "workspace")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert f"The run in {output} finished at step 2" in trained.stdout
    assert (output / "pytorch_lora_weights.safetensors").is_file()
    again = simpletuner("train", "--env", str(folder), "--output", str(output), workspace=tmp_path / "workspace")
    assert "holds an earlier run; add --resume" in again.stderr


def write_short_example(folder: Path) -> None:
    """Two steps of the ink style, with absolute paths."""
    import json  # noqa: PLC0415

    examples = Path(__file__).parents[2] / "examples"
    config: dict[str, Any] = {
        "--model_family": "sd1x",
        "--pretrained_model_name_or_path": str(examples / "models/emoji-small"),
        "max_train_steps": 2,
        "train_batch_size": 2,
        "resolution": 64,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    dataset = {"id": "ink", "instance_data_dir": str(examples / "datasets/ink-style")}
    (folder / "multidatabackend.json").write_text(json.dumps([dataset]))
