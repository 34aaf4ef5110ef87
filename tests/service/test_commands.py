"""The commands for the one who has the machine: as they are called, on both databases, and beside a running service."""

import fcntl
import json
import os
import pty
import re
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from websockets.sync.client import ClientConnection

from service.cli import main
from service.database import Database
from tests.service import hubs
from tests.service.conftest import Script, Server, free_port, set_up
from tests.service.hubs import running_hub
from tests.service.test_websocket import dial, receive, send

PASSWORD = "correct horse"
SECRET = "a very recognisable value"
KEY = re.compile(r"st_[\w-]{20,}\n")


@pytest.fixture(autouse=True)
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SIMPLETUNER_WORKSPACE", str(tmp_path))
    return tmp_path


Run = Callable[..., tuple[int, str, str]]
"""Exit status, standard output and standard error of a command."""


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", StringIO(stdin))
        status = main(arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def run(run_here: Run, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """On a database of one's own of each kind."""
    monkeypatch.setenv("SIMPLETUNER_DATABASE_URL", database_url)
    return run_here


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Script]:
    """A running service, with its first administrator."""
    server = Server(tmp_path_factory.mktemp("served"), free_port())
    yield set_up(server.start())
    server.kill()


@pytest.fixture
def beside(run_here: Run, served: Script, monkeypatch: pytest.MonkeyPatch) -> Run:
    """On the workspace of the running service."""
    monkeypatch.setenv("SIMPLETUNER_WORKSPACE", str(served.server.workspace))
    return run_here


def add(run: Run, name: str, *more: str) -> None:
    status, _, err = run("user", "add", name, f"{name}@example.org", "--password-stdin", *more, stdin=f"{PASSWORD}\n")
    assert (status, err) == (0, "")


def rows(table: str) -> list[list[str]]:
    """Cells of a printed table, without its titles."""
    return [re.split(r"\s{2,}", line) for line in table.splitlines()[1:]]


def test_users_from_beginning_to_end(run: Run) -> None:
    add(run, "anna", "--level", "admin")
    add(run, "bea", "--level", "viewer", "--level", "lead")
    add(run, "carl")
    assert run("user", "disable", "CARL@example.org") == (0, "carl is disabled.\n", "")
    status, table, _ = run("user", "list")
    assert (status, table.splitlines()[0].split()) == (0, ["USERNAME", "E-MAIL", "LEVELS", "STATE"])
    assert rows(table) == [
        ["carl", "carl@example.org", "researcher", "disabled"],
        ["bea", "bea@example.org", "lead, viewer", "active"],
        ["anna", "anna@example.org", "admin", "active"],
    ]
    assert run("user", "enable", "carl") == (0, "carl is enabled.\n", "")
    assert rows(run("user", "list")[1])[0][3] == "active"


def test_keys_from_beginning_to_end(run: Run) -> None:
    add(run, "anna", "--level", "admin")
    status, secret, err = run("apikey", "create", "anna", "nightly run")
    assert (status, err) == (0, "")
    assert KEY.fullmatch(secret)
    run("apikey", "create", "anna", "short", "--permissions", "job.view.all, config.view", "--expires-days", "3")
    first, second = rows(run("apikey", "list", "anna")[1])
    assert first[1:] == [secret[:7], "anna", "nightly run", "all of the user", "never", "never"]
    assert second[2:5] == ["anna", "short", "job.view.all, config.view"]
    assert run("apikey", "revoke", first[1]) == (0, f"The key {first[1]} of anna, nightly run, works no more.\n", "")
    assert run("apikey", "revoke", second[0])[0] == 0
    assert rows(run("apikey", "list")[1]) == []


def test_secrets_from_beginning_to_end(run: Run, workspace: Path) -> None:
    add(run, "anna", "--level", "admin")
    assert run("secret", "set", "COMET_API_KEY", stdin=f"{SECRET}\n") == (0, "COMET_API_KEY is stored.\n", "")
    assert run("secret", "set", "AWS_SECRET_ACCESS_KEY", "--user", "anna", stdin=SECRET)[0] == 0
    shared, hers = rows(run("secret", "list")[1]), rows(run("secret", "list", "--user", "anna")[1])
    assert [row[:2] for row in shared] == [["COMET_API_KEY", "shared"]]
    assert [row[:2] for row in hers] == [["AWS_SECRET_ACCESS_KEY", "personal"], ["COMET_API_KEY", "shared"]]
    key = workspace / "secret.key"
    before = key.read_text()
    assert run("secret", "rotate-key") == (0, f"2 secrets are sealed with the new key in {key}.\n", "")
    assert key.read_text() != before
    assert run("secret", "delete", "COMET_API_KEY") == (0, "COMET_API_KEY is erased.\n", "")
    assert rows(run("secret", "list")[1]) == []
    said = [json.loads(line) for line in run("audit", "export", "--action", "policy.")[1].splitlines()]
    assert [line["action"] for line in said] == ["policy.secret_set", "policy.secret_removed"]


def test_token_is_checked_from_the_command_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        refused = run("secret", "set", "HF_TOKEN", stdin=hubs.WRONG)
        assert (refused[0], "does not accept this token" in refused[2]) == (1, True)
        told = "The Hugging Face Hub knows it as anna-hub: it can read, and not publish.\n"
        assert run("secret", "set", "HF_TOKEN", stdin=hubs.READ) == (0, f"HF_TOKEN is stored. {told}", "")
        assert run("secret", "check", "HF_TOKEN") == (0, told, "")
        assert rows(run("secret", "list")[1])[0][3:] == ["accepted", "anna-hub"]
    status, said, _ = run("secret", "check", "HF_TOKEN")
    assert (status, said.startswith("The Hugging Face Hub could not be asked: 127.0.0.1: Connection refused")) == (
        1,
        True,
    )


def test_made_up_password_is_all_that_is_printed(run: Run) -> None:
    status, password, err = run("user", "add", "anna", "anna@example.org", "--level", "admin", "--generate")
    assert (status, err) == (0, "")
    assert re.fullmatch(r"[\w-]{16}\n", password)
    again = run("user", "reset-password", "anna", "--generate")
    assert again[0] == 0
    assert again[1] != password


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("user", "add", "bea", "bea@example.org"), "there is no terminal to ask for the password"),
        (("user", "add", "bea", "bea@example.org", "--password-stdin"), "a password has 8 to"),
        (("user", "add", "anna", "other@example.org", "--generate"), "username is in use already"),
        (("user", "add", "bea", "bea", "--generate"), "'bea' is no e-mail address"),
        (("user", "add", "bea", "b@example.org", "--level", "boss", "--generate"), "no level named 'boss'"),
        (("user", "disable", "anna"), "the last administrator"),
        (("user", "disable", "nobody"), "there is no user 'nobody'"),
        (("user", "reset-password", "nobody", "--generate"), "there is no user 'nobody'"),
        (("apikey", "create", "nobody", "x"), "there is no user 'nobody'"),
        (("apikey", "create", "anna", " "), "the name of a key has"),
        (("apikey", "create", "anna", "x", "--permissions", "job.fly"), "there is no permission 'job.fly'"),
        (("apikey", "revoke", "st_none"), "there is no key 'st_none'"),
        (("secret", "set", "PATH"), "'PATH' cannot be the name of a secret"),
        (("secret", "set", "COMET_API_KEY"), "there is no value; write it on standard input"),
        (("secret", "set", "COMET_API_KEY", "--user", "nobody"), "there is no user 'nobody'"),
        (("secret", "delete", "COMET_API_KEY"), "there is no shared secret 'COMET_API_KEY'"),
        (("secret", "check", "HF_TOKEN"), "there is no secret 'HF_TOKEN'"),
        (("audit", "export", "--since", "soon"), "since is 'soon'"),
        (("audit", "export", "--actor", "nobody"), "there is no user 'nobody'"),
    ],
)
def test_refusal_is_one_line_and_status_1(beside: Run, arguments: tuple[str, ...], said: str) -> None:
    before = beside("user", "list")
    status, out, err = beside(*arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("simpletuner: ")
    assert said in err
    assert beside("user", "list") == before


def test_first_user_has_to_be_an_administrator(run: Run) -> None:
    status, _, err = run("user", "add", "bea", "bea@example.org", "--generate")
    assert (status, err) == (
        1,
        "simpletuner: there is no administrator yet, so this has to be one: add --level admin\n",
    )


def test_key_beyond_its_user_is_refused(run: Run) -> None:
    add(run, "anna", "--level", "admin")
    add(run, "bea")
    status, _, err = run("apikey", "create", "bea", "x", "--permissions", "config.view,*")
    assert (status, "a key can do no more than its user" in err) == (1, True)


def test_key_that_would_not_work_is_refused(run: Run) -> None:
    add(run, "anna", "--level", "admin")
    add(run, "victor", "--level", "viewer")
    assert "victor has no api.access" in run("apikey", "create", "victor", "x")[2]
    run("user", "disable", "victor")
    assert "is disabled" in run("apikey", "create", "victor", "x")[2]


@pytest.mark.parametrize(
    "arguments",
    [
        ("user",),
        ("user", "fly"),
        ("user", "add", "anna", "anna@example.org", "--password", "secret"),
        ("user", "add", "anna", "anna@example.org", "--password-stdin", "--generate"),
        ("apikey", "create", "anna", "x", "--expires-days", "0"),
        ("secret", "set", "HF_TOKEN", "the value"),
        ("audit", "verify", "--head", "12"),
    ],
)
def test_what_is_not_understood_is_status_2(
    arguments: tuple[str, ...], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert list(workspace.iterdir()) == []


def test_log_tells_of_the_command_line(run: Run) -> None:
    add(run, "anna", "--level", "admin")
    run("apikey", "create", "anna", "x")
    lines = [json.loads(line) for line in run("audit", "export")[1].splitlines()]
    assert [(line["action"], line["actor"], line["via"], line["address"]) for line in lines] == [
        ("user.registered", None, "command line", ""),
        ("user.api_key_created", None, "command line", ""),
    ]
    assert run("audit", "export", "--action", "user.api")[1].count("\n") == 1
    assert run("audit", "export", "--actor", "anna") == (0, "", "")


def test_verify_tells_head_and_what_was_altered(run: Run, database_url: str) -> None:
    add(run, "anna", "--level", "admin")
    add(run, "bea")
    status, said, _ = run("audit", "verify")
    found = re.fullmatch(r"2 events, unaltered; head (2:[0-9a-f]{64})\n", said)
    assert status == 0
    assert found
    add(run, "carl")
    assert run("audit", "verify", "--head", found[1])[0] == 0
    assert run("audit", "verify", "--head", f"2:{'0' * 64}")[0] == 1
    assert run("audit", "verify", "--head", f"4:{'0' * 64}")[1].startswith("ALTERED at position 4: the chain ends at 3")
    database = Database(database_url)
    with database.writing() as session:
        session.execute(text("UPDATE events SET topic = 'User.Deleted' WHERE id = 2"))
    database.close()
    status, said, _ = run("audit", "verify")
    assert status == 1
    assert re.match(r"ALTERED at position 2, User.Deleted, 20\d\d-[\dT:+-]+: the event was altered\n", said)
    assert said.splitlines()[1].startswith("1 events before it are unaltered; head 1:")


def test_verify_wants_the_key_and_makes_none(run: Run, workspace: Path) -> None:
    status, _, err = run("audit", "verify")
    assert (status, err.startswith(f"simpletuner: {workspace}/audit.key cannot be read")) == (1, True)
    assert not (workspace / "audit.key").exists()


def test_training_by_hand_refuses_secrets_in_its_files(run_here: Run, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"--model_family": "sd1x", "--hub_token": SECRET}))
    (tmp_path / "multidatabackend.json").write_text("[]")
    status, out, err = run_here("train", "--env", str(tmp_path))
    assert (status, out, "hub_token holds a secret" in err, SECRET in err) == (1, "", True, False)
    assert not (tmp_path / "output").exists()


def test_database_that_is_not_there_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMPLETUNER_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3")
    status, _, err = run("user", "list")
    assert (status, err.count("\n")) == (1, 1)
    assert "the database cannot be opened" in err


# ---- as processes


def simpletuner(workspace: Path, *arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"SIMPLETUNER_WORKSPACE": str(workspace)}
    return subprocess.Popen([sys.executable, "-m", "service.cli", *arguments], env=environment, **options)


def answer_on_terminal(workspace: Path, *arguments: str, answers: list[str]) -> tuple[int, str]:
    """Exit status, and all that a terminal shows; each answer is typed when it is asked for."""
    ours, theirs = pty.openpty()
    process = simpletuner(
        workspace,
        *arguments,
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown = ""
    try:
        while part := read_terminal(ours):
            shown += part
            if shown.endswith(": ") and answers:
                os.write(ours, f"{answers.pop(0)}\n".encode())
        return process.wait(timeout=20), shown
    finally:
        process.kill()
        os.close(ours)


def read_terminal(descriptor: int) -> str:
    """Nothing when the other side is gone, which Linux tells by an error."""
    try:
        return os.read(descriptor, 1000).decode()
    except OSError:
        return ""


def test_password_is_asked_for_twice_and_not_shown(workspace: Path) -> None:
    command = ("user", "add", "anna", "anna@example.org", "--level", "admin")
    status, shown = answer_on_terminal(workspace, *command, answers=[PASSWORD, "correct hose"])
    assert (status, "the two passwords are not the same" in shown) == (1, True)
    status, shown = answer_on_terminal(workspace, *command, answers=[PASSWORD, PASSWORD])
    assert (status, PASSWORD in shown, "anna can sign in now" in shown) == (0, False, True)


def test_secret_is_asked_for_and_not_shown(workspace: Path) -> None:
    status, shown = answer_on_terminal(workspace, "secret", "set", "COMET_API_KEY", answers=[SECRET])
    assert (status, SECRET in shown, "COMET_API_KEY is stored." in shown) == (0, False, True)


def test_export_into_a_closed_pipe_is_quiet(workspace: Path, run_here: Run) -> None:
    add(run_here, "anna", "--level", "admin")
    reading, writing = os.pipe()
    os.close(reading)
    with simpletuner(workspace, "audit", "export", stdout=writing, stderr=subprocess.PIPE) as exporting:
        _, err = exporting.communicate(timeout=20)
    os.close(writing)
    assert (exporting.returncode, err) == (1, b"")


@pytest.mark.parametrize("withdrawal", [("apikey", "revoke"), ("user", "disable")])
def test_live_stream_ends_within_5_seconds(served: Script, beside: Run, withdrawal: tuple[str, str]) -> None:
    name = f"{withdrawal[1]}d"
    beside("user", "add", name, f"{name}@example.org", "--generate")
    secret = beside("apikey", "create", name, "watching")[1].strip()
    with dial(served.server) as socket:
        send(socket, type="connection_init", payload={"X-API-Key": secret})
        assert receive(socket) == {"type": "connection_ack"}
        send(socket, type="subscribe", id="1", payload={"query": "subscription { runsChanged { id } }"})
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.5)
        beside(*withdrawal, secret[:7] if withdrawal[0] == "apikey" else name)
        withdrawn = time.monotonic()
        assert until_end(socket) == ["UNAUTHENTICATED"]
        assert time.monotonic() - withdrawn < 5
    assert Script(served.server, api_key=secret).get("/api/training/status").status_code == 401


def until_end(socket: ClientConnection) -> list[str]:
    """Codes of the errors that come before the end of the stream, when nothing else comes."""
    codes: list[str] = []
    while (message := receive(socket))["type"] != "complete":
        codes += [error["extensions"]["code"] for error in message["payload"]["errors"]]
    return codes


def test_commands_beside_the_service_keep_the_chain_whole(served: Script, beside: Run) -> None:
    secret = beside("apikey", "create", "anna", "at once")[1].strip()
    assert "errors" not in Script(served.server, api_key=secret).post("{ viewer { user { username } } }").json()
    served.ask('mutation { createApiKey(input: {name: "more"}) { secret } }')
    assert re.fullmatch(r"\d+ events, unaltered; head \d+:[0-9a-f]{64}\n", beside("audit", "verify")[1])
    assert beside("audit", "export") == (0, served.get("/api/audit/export").text, "")
    assert " ERROR " not in served.server.log()


# ---- the cache --------------------------------------------------------------------------------------------------------


def test_cache_is_shown_and_pruned_but_for_what_a_living_run_needs(run_here: Run, workspace: Path) -> None:
    shards, users = workspace / "cache/shards", workspace / "cache/users"
    assert run_here("cache", "show")[:2] == (
        0,
        f"{workspace}/cache has 0.000 GB in 0 files, and may have 100 GB.\n",
    )
    for folder in (shards, users):
        folder.mkdir(parents=True)
    for name in ("a", "b"):
        (shards / f"{name}.safetensors").write_bytes(bytes(2_000_000))
    with (users / "living").open("w") as living:
        living.write("a.safetensors\n")
        living.flush()
        fcntl.flock(living, fcntl.LOCK_EX)
        status, said, _ = run_here("cache", "prune", "--limit", "0")
    assert (status, said) == (0, "Removed 0.002 GB in 1 files; 0.002 GB in 1 files stay.\n")
    assert [path.name for path in shards.iterdir()] == ["a.safetensors"]


def test_cache_is_not_pruned_while_a_run_looks_for_encodings(run_here: Run, workspace: Path) -> None:
    (workspace / "cache").mkdir()
    with (workspace / "cache/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        status, _, said = run_here("cache", "prune")
    assert (status, said) == (
        1,
        f"simpletuner: a run is looking for encodings in {workspace}/cache; try again when it trains\n",
    )
