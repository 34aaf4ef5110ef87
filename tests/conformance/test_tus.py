"""The npm package tus-js-client, the reference for the tus protocol, as our client."""

import json
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Script, Server
from tests.service.uploading import noise, picture

NUM_SMALL = 2000

Act = Callable[..., Any]


@pytest.fixture
def folder(server: Server, request: pytest.FixtureRequest) -> Path:
    made: Path = server.workspace / "datasets" / request.node.name
    made.mkdir(parents=True)
    return made


@pytest.fixture
def act(server: Server, script: Script, node: Callable[..., str], folder: Path) -> Act:
    def run(what: str, *files: Path) -> Any:
        arguments = [server.url, script.api_key or "", str(folder), what, *map(str, files)]
        return json.loads(node("drive_uploads.mjs", *arguments))

    return run


@pytest.mark.parametrize("what", ["begun", "created", "atOnce", "overridden"])
def test_file_arrives(act: Act, folder: Path, tmp_path: Path, what: str) -> None:
    file = tmp_path / "Käse (1).png"
    content = picture() + noise(250_000)
    file.write_bytes(content)
    told = act(what, file)
    assert "error" not in told
    assert told["progress"] == len(content)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {file.name: content}


def test_file_that_is_refused_is_an_error_with_the_reason(act: Act, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "fake.png"
    file.write_bytes(b"no picture")
    told = act("created", file)
    assert "holds no picture" in told["error"]
    assert told["requests"] == ["POST 201", "PATCH 422"]
    assert list(folder.iterdir()) == []


def test_terminated_upload_is_gone(act: Act, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(noise(1_000_000))
    assert act("terminated", file) == {"status": 404}
    assert list(folder.iterdir()) == []


def test_archive_is_unpacked(act: Act, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "cats.zip", "w") as archive:
        archive.writestr("grey/cat.png", picture())
        archive.writestr("grey/cat.txt", "a grey cat")
    assert "error" not in act("begun", tmp_path / "cats.zip")
    wait_until(lambda: (folder / "grey/cat.txt").exists())
    assert (folder / "grey/cat.png").read_bytes() == picture()


def test_client_goes_on_after_the_service_was_killed(act: Act, server: Server, folder: Path, tmp_path: Path) -> None:
    content = noise(20_000_000)
    (tmp_path / "large.parquet").write_bytes(content)
    told: list[Any] = []
    client = threading.Thread(target=lambda: told.append(act("begun", tmp_path / "large.parquet")))
    client.start()
    uploads = server.workspace / "uploads"
    wait_until(lambda: uploads.exists() and any(path.stat().st_size > 2_000_000 for path in uploads.iterdir()))
    server.kill()
    server.start()
    client.join(timeout=120)
    assert "error" not in told[0]
    assert told[0]["requests"].count("HEAD 200") == 2
    assert (folder / "large.parquet").read_bytes() == content


def test_thousands_of_small_files_arrive(act: Act, folder: Path, tmp_path: Path) -> None:
    for number in range(NUM_SMALL):
        (tmp_path / f"{number}.txt").write_text(f"caption {number}")
    assert act("many", *tmp_path.iterdir()) == {"sent": NUM_SMALL, "errors": []}
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        f"{number}.txt": f"caption {number}" for number in range(NUM_SMALL)
    }


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
