"""Uploads by the tus protocol: what comes is kept, whatever dies; what is wrong is said; nothing else is touched."""

import base64
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.access import LEVELS, Actor, Rights
from domain.application import SimpleTuner
from domain.errors import InvalidInput
from service.access.administration import create_user
from service.database import Database
from service.read_models.audit import EVERYTHING, list_entries
from service.read_models.projection import project
from service.scans.maker import PictureMaker
from service.settings import Settings, read_settings
from service.store import open_application
from service.uploads.finishing import Finishing
from service.uploads.part_files import PartFiles
from service.uploads.placing import Staged, place_together
from service.uploads.reception import Offer, Reception
from service.uploads.recording import record_added
from service.uploads.records import UploadRow, UploadState, find_upload
from tests.service.conftest import AUDIT_KEY, Script, Server, free_port, set_up
from tests.service.people import CONSOLE, PASSWORD, SEES_ALL, Household
from tests.service.uploading import PATIENCE_SECONDS, TYPE, Tus, killed_at, noise, picture

MAX_GROWTH_BYTES = 60 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"SIMPLETUNER_REQUEST_SECONDS": "4", "SIMPLETUNER_MAX_UPLOAD_GB": "1"}
    running = Server(tmp_path_factory.mktemp("workspace"), free_port(), environment=environment).start()
    yield running
    assert "Traceback" not in running.log()
    running.kill()


@pytest.fixture
def tus(script: Script, server: Server, request: pytest.FixtureRequest) -> Tus:
    """Of anna, into a folder of this test."""
    folder = server.workspace / "datasets" / f"folder-{abs(hash(request.node.name))}"
    folder.mkdir(parents=True)
    return Tus(script, folder)


def parts(tus: Tus) -> list[Path]:
    return list((tus.script.server.workspace / "uploads").iterdir())


def part_of(tus: Tus, upload: Any) -> Path:
    return tus.script.server.workspace / "uploads" / f"{upload['url'].rpartition('/')[2].replace('-', '')}.part"


def codes(made: Any) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in made["errors"]]


# ---- a file


def test_file_comes_in_pieces_and_is_put_in_its_place(tus: Tus) -> None:
    content = picture()
    upload = tus.begun("cat.png", len(content))
    assert (upload["offset"], upload["sizeBytes"], upload["state"]) == (0, len(content), "RECEIVING")
    first = tus.patch(upload["url"], 0, content[:50])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "50")
    assert "GMT" in first.headers["upload-expires"]
    head = tus.request("HEAD", upload["url"])
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("50", str(len(content)))
    assert (head.headers["tus-resumable"], head.headers["cache-control"]) == ("1.0.0", "no-store")
    assert list(tus.folder.iterdir()) == []
    assert tus.patch(upload["url"], 50, content[50:]).headers["upload-offset"] == str(len(content))
    state = tus.state(upload)
    assert (state["state"], state["report"]["added"], state["progress"]) == ("DONE", ["cat.png"], 1.0)
    assert (tus.folder / "cat.png").read_bytes() == content
    assert parts(tus) == []
    assert tus.offset(upload["url"]) == len(content)


def test_same_file_is_kept_once_and_another_gets_a_new_name(tus: Tus) -> None:
    for _ in range(2):
        state = tus.send("cat.png", picture(1))
    assert (state["report"]["numAdded"], state["report"]["duplicates"]) == (0, ["cat.png"])
    for _ in range(2):
        state = tus.send("cat.png", picture(2))
    assert state["report"]["duplicates"] == ["cat (2).png"]
    assert tus.send("cat.png", picture(3))["report"]["renamed"] == [{"name": "cat.png", "newName": "cat (3).png"}]
    assert {path.name: path.read_bytes() for path in tus.folder.iterdir()} == {
        "cat.png": picture(1),
        "cat (2).png": picture(2),
        "cat (3).png": picture(3),
    }


def test_caption_follows_its_picture_to_a_new_name(tus: Tus) -> None:
    tus.send("cat.JPG", picture(1, format="JPEG"))
    tus.send("cat.JPG", picture(2, format="JPEG"))
    assert tus.send("cat.txt", b"another cat")["report"]["added"] == ["cat (2).txt"]
    tus.send("cat.JPG", picture(1, format="JPEG"))
    assert tus.send("cat.txt", b"a cat")["report"]["added"] == ["cat.txt"]


def test_folder_that_is_gone_is_said(tus: Tus) -> None:
    upload = tus.begun("cat.png", len(picture()))
    tus.folder.rmdir()
    answer = tus.patch(upload["url"], 0, picture())
    assert (answer.status_code, tus.state(upload)["state"]) == (422, "REFUSED")
    assert "there is no folder" in answer.json()["errors"][0]["message"]
    assert tus.request("HEAD", upload["url"]).status_code == 410


def test_a_link_of_that_name_is_not_followed(tus: Tus) -> None:
    outside = tus.script.server.workspace / "precious.png"
    (tus.folder / "cat.png").symlink_to(outside)
    assert tus.send("cat.png", picture())["report"]["added"] == ["cat (2).png"]
    assert not outside.exists()


def test_empty_caption_is_complete_when_it_begins(tus: Tus) -> None:
    upload = tus.begun("cat.txt", 0)
    assert (upload["state"], (tus.folder / "cat.txt").read_bytes()) == ("DONE", b"")


def test_another_disk_gets_the_file_as_well(tmp_path: Path) -> None:
    disk = Path("/dev/shm")
    if not disk.is_dir() or disk.stat().st_dev == tmp_path.stat().st_dev:
        disk = tmp_path
    target = disk / f"uploads-{os.getpid()}"
    target.mkdir()
    (tmp_path / "part").write_bytes(picture())
    places = [os.open(each, os.O_RDONLY) for each in (tmp_path, target)]
    try:
        placed = [place_together([Staged(places[0], "part", places[1], "a.png")])[0] for _ in range(2)]
        (tmp_path / "part").write_bytes(picture(1))
        placed.append(place_together([Staged(places[0], "part", places[1], "a.png")])[0])
        assert [each.name for each in placed] == ["a.png", "a.png", "a (2).png"]
        assert sorted(path.name for path in target.iterdir()) == ["a (2).png", "a.png"]
    finally:
        for place in places:
            os.close(place)
        for path in target.iterdir():
            path.unlink()
        target.rmdir()


# ---- what may be uploaded


@pytest.mark.parametrize(
    ("filename", "size", "more", "refused"),
    [
        ("tool.exe", 5, {}, ("INVALID_INPUT", ["filename"])),
        ("noending", 5, {}, ("INVALID_INPUT", ["filename"])),
        ("../a.png", 5, {}, ("INVALID_INPUT", ["filename"])),
        (".a.png", 5, {}, ("INVALID_INPUT", ["filename"])),
        ("con.png", 5, {}, ("INVALID_INPUT", ["filename"])),
        ("a.png", -1, {}, ("INVALID_INPUT", ["sizeBytes"])),
        ("a.png", 1.5, {}, ("INVALID_INPUT", ["sizeBytes"])),
        ("a.png", 1e300, {}, ("INVALID_INPUT", ["sizeBytes"])),
        ("a.png", 0, {}, ("INVALID_INPUT", ["sizeBytes"])),
        ("a.zip", (1 << 30) + 1, {"extract": True}, ("INVALID_INPUT", ["sizeBytes"])),
        ("a.txt", (1 << 20) + 1, {}, ("INVALID_INPUT", ["sizeBytes"])),
        ("a.zip", 5, {}, ("INVALID_INPUT", ["extract"])),
        ("a.png", 5, {"extract": True}, ("INVALID_INPUT", ["extract"])),
        ("a.png", 5, {"path": "not-there"}, ("NOT_FOUND", ["path"])),
    ],
)
def test_upload_that_cannot_be_is_refused_before_a_byte(
    tus: Tus, filename: str, size: float, more: dict[str, Any], refused: tuple[str, list[str]]
) -> None:
    made = tus.begin(filename, size, **more)
    assert (codes(made), made["upload"]) == ([refused], None)


@pytest.mark.parametrize(
    ("filename", "content", "said"),
    [
        ("a.png", b"MZ this is a program", "holds no picture"),
        ("a.jpg", picture()[:20], "holds no picture"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "holds no picture"),
        ("a.txt", b"caf\xe9", "is not text in UTF-8"),
        ("a.jsonl", b"{}\0", "zero bytes"),
        ("a.parquet", b"PAR1 no end", "is no Parquet file"),
        ("a.zip", b"PK\x03\x04 no directory", "is no complete ZIP archive"),
    ],
)
def test_what_is_not_what_it_is_called_is_refused(tus: Tus, filename: str, content: bytes, said: str) -> None:
    state = tus.send(filename, content, extract=filename.endswith(".zip"))
    assert state["state"] == "REFUSED"
    assert said in state["problem"]
    assert list(tus.folder.iterdir()) == []
    assert parts(tus) == []


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("Größe 日本.JPG", picture(format="JPEG")),
        ("really-a-webp.png", picture(format="WEBP")),
        ("long.bmp", picture(format="BMP", size=(1, 10_000))),
        ("a.caption", "ein Bär".encode()),
        ("metadata.jsonl", b'{"file_name": "a.png"}\n'),
        ("a.csv", b"\xef\xbb\xbfname,text\n"),
        ("a.parquet", noise(100)),
    ],
)
def test_what_is_taken(tus: Tus, filename: str, content: bytes) -> None:
    assert tus.send(filename, content)["report"]["added"] == [filename]
    assert (tus.folder / filename).read_bytes() == content


def test_uploads_are_kept_and_told_of_on_both_databases(
    database: Database, application: SimpleTuner, tmp_path: Path
) -> None:
    settings = read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path), "SIMPLETUNER_MAX_UPLOAD_GB": "1000000000"})
    reception = Reception(settings, database, application, videos=PictureMaker(environment={}))
    user_id = create_user(
        application, CONSOLE, email="a@example.org", username="anna", password=PASSWORD, levels=["researcher"]
    )
    actor, rights = Actor(user_id=user_id, via="key x", address="1.2.3.4"), Rights(user_id, LEVELS["researcher"])
    offers = [Offer(path=".", filename=f"{n}.txt", size_bytes=0, extract=False) for n in range(3)]
    ids = [reception.begin(actor, rights, offer) for offer in offers]
    rows = [reception.find(upload_id) for upload_id in ids]
    assert [row and (row.state.value, row.report.added) for row in rows] == [("done", [f"{n}.txt"]) for n in range(3)]
    for _ in range(2):
        record_added(application, database)
    with database.reading() as session:
        entries = [entry for _, entry in list_entries(session, EVERYTHING, first=50, after=None).items]
    told = [entry for entry in entries if entry.action == "user.files_added"]
    assert [(entry.actor_id, entry.via, entry.address) for entry in told] == [(user_id, "key x", "1.2.3.4")]
    with pytest.raises(InvalidInput, match=r"the disk .* has room for"):
        reception.begin(actor, rights, Offer(path=".", filename="a.zip", size_bytes=10**17, extract=True))


# ---- the protocol


def test_abilities_are_told(tus: Tus) -> None:
    answer = tus.request("OPTIONS", "/api/uploads", tus_resumable="")
    assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
    assert answer.headers["tus-extension"] == "creation,creation-with-upload,expiration,termination"
    assert answer.headers["tus-max-size"] == str(1 << 30)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("PATCH", {"tus_resumable": ""}, 412),
        ("HEAD", {"tus_resumable": "0.2.2"}, 412),
        ("PATCH", {"content_type": "text/plain", "upload_offset": "0"}, 415),
        ("PATCH", {"upload_offset": "0"}, 415),
        ("PATCH", {"content_type": TYPE}, 400),
        ("PATCH", {"content_type": TYPE, "upload_offset": "-1"}, 400),
        ("PATCH", {"content_type": TYPE, "upload_offset": "0x1"}, 400),
        ("PATCH", {"content_type": TYPE, "upload_offset": "9" * 30}, 400),
        ("PATCH", {"content_type": TYPE, "upload_offset": "1"}, 409),
        ("PATCH", {"content_type": TYPE, "upload_offset": "999999999999"}, 409),
        ("GET", {}, 405),
        ("PUT", {}, 405),
        ("POST", {}, 405),
        ("POST", {"x_http_method_override": "HEAD"}, 200),
    ],
)
def test_request_that_is_wrong_is_refused(tus: Tus, method: str, headers: dict[str, str], status: int) -> None:
    upload = tus.begun("cat.png", 100)
    answer = tus.request(method, upload["url"], b"12345" if method != "GET" else None, **headers)
    assert (answer.status_code, answer.headers["tus-resumable"]) == (status, "1.0.0")
    assert tus.offset(upload["url"]) == 0


def test_more_than_was_announced_is_not_taken(tus: Tus) -> None:
    upload = tus.begun("cat.png", 100)
    assert tus.patch(upload["url"], 0, b"x" * 40).status_code == 204
    assert tus.patch(upload["url"], 40, b"x" * 61).status_code == 413
    assert tus.patch(upload["url"], 40, iter([b"x" * 59, b"x" * 2])).status_code == 413
    assert tus.offset(upload["url"]) == 40
    assert tus.patch(upload["url"], 40, b"").status_code == 204


def metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def test_upload_is_begun_by_the_protocol_alone(tus: Tus) -> None:
    content = picture()
    told = metadata(filename="cat.png", path=str(tus.folder), filetype="image/png")
    made = tus.request("POST", "/api/uploads", upload_length=str(len(content)), upload_metadata=told)
    assert made.status_code == 201
    url = made.headers["location"]
    assert tus.request("HEAD", url).headers["upload-metadata"] == told
    assert tus.patch(url, 0, content).status_code == 204
    assert (tus.folder / "cat.png").read_bytes() == content
    told = metadata(filename="dog.png", path=str(tus.folder))
    whole = {"upload_length": str(len(content)), "upload_metadata": told, "content_type": TYPE}
    made = tus.request("POST", "/api/uploads", content, **whole)
    assert (made.status_code, made.headers["upload-offset"]) == (201, str(len(content)))
    assert (tus.folder / "dog.png").read_bytes() == content


@pytest.mark.parametrize(
    ("length", "told", "status"),
    [
        ("", metadata(filename="a.png"), 400),
        ("-5", metadata(filename="a.png"), 400),
        ("1e3", metadata(filename="a.png"), 400),
        ("9" * 18, metadata(filename="a.png"), 413),
        (str((1 << 30) + 1), metadata(filename="a.png"), 413),
        ("5", "", 400),
        ("5", "filename ***", 400),
        ("5", "filename", 400),
        ("5", "filename /w==", 400),
        ("5", metadata(filename="a.exe"), 400),
        ("5", metadata(filename="a.png", extract="perhaps"), 400),
        ("5", metadata(filename="a.png", path="not-there"), 404),
        ("5", metadata(filename="a.png", path="../configs"), 403),
    ],
)
def test_creation_that_is_wrong_is_refused(tus: Tus, length: str, told: str, status: int) -> None:
    answer = tus.request("POST", "/api/uploads", upload_length=length, upload_metadata=told)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["message"]


def test_ended_upload_is_gone(tus: Tus) -> None:
    upload = tus.begun("cat.png", 100)
    tus.patch(upload["url"], 0, b"x" * 40)
    part = part_of(tus, upload)
    assert part.stat().st_size == 40
    assert tus.request("DELETE", upload["url"]).status_code == 204
    assert tus.request("HEAD", upload["url"]).status_code == 404
    assert tus.state(upload) is None
    assert not part.exists()
    done = tus.begun("empty.txt", 0)
    assert tus.request("DELETE", done["url"]).status_code == 409
    assert (tus.folder / "empty.txt").exists()


def test_same_key_begins_it_once(tus: Tus) -> None:
    first = tus.begun("cat.png", 100, idempotencyKey=f"begin {tus.folder}")
    assert tus.begun("cat.png", 100, idempotencyKey=f"begin {tus.folder}") == first
    assert codes(tus.begin("cat.png", 99, idempotencyKey=f"begin {tus.folder}"))[0][0] == "KEY_REUSED"


def test_two_requests_at_once_do_not_mix(tus: Tus) -> None:
    upload = tus.begun("cat.png", 200)
    is_first_in, go_on = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"x" * 50
        is_first_in.set()
        go_on.wait(PATIENCE_SECONDS)
        yield b"x" * 50

    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(tus.patch(upload["url"], 0, slowly())))
    first.start()
    is_first_in.wait(PATIENCE_SECONDS)
    other = Tus(Script(tus.script.server, api_key=tus.script.api_key), tus.folder)
    refused = {other.patch(upload["url"], 0, b"y" * 50).status_code for _ in range(3)}
    go_on.set()
    first.join()
    assert refused == {423}
    assert (answers[0].status_code, tus.offset(upload["url"])) == (204, 100)


def test_requests_that_race_add_a_file_once(tus: Tus) -> None:
    for number in range(8):
        upload = tus.begun(f"{number}.png", len(picture()))
        rivals = [Tus(Script(tus.script.server, api_key=tus.script.api_key), tus.folder) for _ in range(4)]
        with ThreadPoolExecutor() as threads:
            answers = list(threads.map(lambda rival, url=upload["url"]: rival.patch(url, 0, picture()), rivals))
        assert sorted({answer.status_code for answer in answers})[0] == 204
        assert {answer.status_code for answer in answers} <= {204, 409, 423}
        report = tus.state(upload)["report"]
        assert (report["added"], report["numDuplicates"]) == ([f"{number}.png"], 0)
    assert len(list(tus.folder.iterdir())) == 8


def test_who_stops_sending_is_not_waited_for(tus: Tus) -> None:
    upload = tus.begun("cat.png", 200)
    with socket.create_connection(("127.0.0.1", tus.script.server.port), timeout=10) as opened:
        head = f"PATCH {upload['url']} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nX-API-Key: "
        head += f"{tus.script.api_key}\r\nContent-Type: {TYPE}\r\nUpload-Offset: 0\r\nContent-Length: 200\r\n\r\n"
        opened.sendall(head.encode() + b"x" * 70)
        assert opened.recv(4096).startswith(b"HTTP/1.1 503 ")
    assert tus.offset(upload["url"]) == 70


def test_connection_that_breaks_leaves_what_has_come(tus: Tus) -> None:
    upload = tus.begun("a.parquet", 5 << 20)
    with socket.create_connection(("127.0.0.1", tus.script.server.port), timeout=10) as opened:
        head = f"PATCH {upload['url']} HTTP/1.1\r\nHost: localhost\r\nTus-Resumable: 1.0.0\r\nX-API-Key: "
        head += f"{tus.script.api_key}\r\nContent-Type: {TYPE}\r\nUpload-Offset: 0\r\nContent-Length: {5 << 20}\r\n\r\n"
        opened.sendall(head.encode() + b"x" * 123_456)
        opened.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while tus.offset(upload["url"]) != 123_456 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert tus.offset(upload["url"]) == 123_456
    assert tus.request("DELETE", upload["url"]).status_code == 204


def test_large_file_is_received_in_bounded_memory(tus: Tus) -> None:
    process = tus.script.server.process
    assert process is not None
    content = noise(150 << 20)
    before = peak_bytes(process.pid)
    assert tus.send("large.parquet", content)["report"]["added"] == ["large.parquet"]
    assert peak_bytes(process.pid) - before < MAX_GROWTH_BYTES
    (tus.folder / "large.parquet").unlink()


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


# ---- who may


def test_uploads_are_their_owners_alone(tus: Tus, server: Server) -> None:
    upload = tus.begun("cat.png", 100)
    household = Household(server)
    rita = household.new_person("rita", ["researcher"])
    other = Tus(rita.session, tus.folder)
    assert other.request("HEAD", upload["url"]).status_code == 404
    assert other.patch(upload["url"], 0, b"x").status_code == 404
    assert other.request("DELETE", upload["url"]).status_code == 404
    assert other.state(upload) is None
    mine = other.begun("hers.txt", 2)
    foreign = {"origin": "https://evil.example"}
    assert other.patch(mine["url"], 0, b"ab", **foreign).status_code == 403
    assert other.patch(mine["url"], 0, b"ab", origin=server.url).status_code == 204
    assert Tus(Script(server), tus.folder).patch(mine["url"], 0, b"x").status_code == 401
    vera = Tus(household.new_person("vera", ["viewer"]).session, tus.folder)
    assert vera.request("OPTIONS", "/api/uploads").status_code == 403
    narrow = Tus(household.new_key(rita.id, ["config.view", "api.access"]), tus.folder)
    assert narrow.request("HEAD", mine["url"]).status_code == 403


def test_stream_ends_when_its_key_is_revoked(tus: Tus, server: Server) -> None:
    household = Household(server)
    rene = household.new_person("rene", ["researcher"])
    other = Tus(rene.key, tus.folder)
    upload = other.begun("cat.png", 1000)
    [key] = rene.session.ask("{ viewer { apiKeys { id } } }")["viewer"]["apiKeys"]

    def until_noticed() -> Iterator[bytes]:
        yield b"x" * 10
        revoke = "mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { errors { message } } }"
        assert rene.session.ask(revoke, id=key["id"]) == {"revokeApiKey": {"errors": []}}
        for _ in range(90):
            time.sleep(0.1)
            yield b"x" * 10

    assert other.patch(upload["url"], 0, until_noticed()).status_code == 401
    assert Tus(rene.session, tus.folder).offset(upload["url"]) < 1000


# ---- kills and time


def test_kill_in_mid_upload_loses_nothing_that_was_acknowledged(new_server: Callable[..., Server]) -> None:
    server = new_server().start()
    script = set_up(server)
    folder = server.workspace / "datasets/killed"
    folder.mkdir(parents=True)
    tus = Tus(script, folder)
    content = noise(6 << 20)
    upload = tus.begun("a.parquet", len(content))
    assert tus.patch(upload["url"], 0, content[:1000]).status_code == 204

    def until_killed() -> Iterator[bytes]:
        yield content[1000 : 4 << 20]
        while part_of(tus, upload).stat().st_size < 2 << 20:
            time.sleep(0.01)
        server.kill()
        yield content[4 << 20 :]

    with pytest.raises(httpx.TransportError):
        tus.patch(upload["url"], 1000, until_killed())
    server.start()
    offset = tus.offset(upload["url"])
    assert offset >= 2 << 20
    assert tus.patch(upload["url"], offset, content[offset:]).status_code == 204
    assert (folder / "a.parquet").read_bytes() == content

    complete, late = tus.begun("late.png", len(picture())), tus.begun("old.png", 100)
    tus.patch(late["url"], 0, b"x")
    server.kill()
    part_of(tus, complete).write_bytes(picture())
    (server.workspace / "uploads" / f"{'0' * 32}.part").write_bytes(b"a stray")
    with sqlite3.connect(server.workspace / "simpletuner.sqlite3") as database:
        database.execute("UPDATE uploads SET touched_at = '2020-01-01 00:00:00.000000' WHERE filename = 'old.png'")
    server.start()
    assert tus.ended(complete)["report"]["added"] == ["late.png"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while list((server.workspace / "uploads").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((server.workspace / "uploads").iterdir()) == []
    assert tus.state(late) is None
    wanted = {str(folder): (2, len(content) + len(picture()))}
    while added_files(script) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert added_files(script) == wanted


def test_kill_at_any_moment_of_finishing_changes_nothing(tmp_path: Path) -> None:
    """A child dies before the first thing that it does to the disk, another before the second, and so on."""
    moment, was_killed = 0, True
    while was_killed:
        moment += 1
        settings = read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path / str(moment))})
        (settings.datasets / "cats").mkdir(parents=True)
        (settings.datasets / "cats/cat.png").write_bytes(picture(1))
        row = begun_beside(settings)
        was_killed = killed_at(moment, lambda settings=settings, row=row: finish_beside(settings, row))  # type: ignore[misc]
        report = finish_beside(settings, row).report
        assert (report.added, report.num_duplicates) == (["cat (2).png"], 0), moment
        assert {path.name: path.read_bytes() for path in (settings.datasets / "cats").iterdir()} == {
            "cat.png": picture(1),
            "cat (2).png": picture(2),
        }
        assert list(settings.uploads.iterdir()) == []
    assert moment > 5


@pytest.mark.parametrize(("is_closed", "state"), [(True, UploadState.RECEIVING), (False, UploadState.REFUSED)])
def test_video_is_not_refused_because_the_service_stops(is_closed: bool, state: UploadState, tmp_path: Path) -> None:
    """What looks at videos is gone in both cases; the next service looks again."""
    settings = read_settings({"SIMPLETUNER_WORKSPACE": str(tmp_path)})
    (tmp_path / "datasets" / "cats").mkdir(parents=True)
    row = begun_beside(settings, filename="cat.mp4")
    videos = PictureMaker(environment={"PYTHONHOME": "/nowhere"})
    if is_closed:
        videos.close()
    assert finish_beside(settings, row, videos=videos).state is state
    assert list(settings.uploads.iterdir()) == ([PartFiles(settings.uploads).path(row.id)] if is_closed else [])


def begun_beside(settings: Settings, *, filename: str = "cat.png") -> UploadRow:
    """An upload of a picture whose last byte has come, whatever it is called."""
    database = Database(settings.database_url)
    database.create_tables()
    reception = Reception(
        settings,
        database,
        open_application(database, project=project, audit_key=AUDIT_KEY),
        videos=PictureMaker(environment={}),
    )
    offer = Offer(path="cats", filename=filename, size_bytes=len(picture(2)), extract=False)
    row = reception.find(reception.begin(Actor(user_id=SEES_ALL.user_id, via="key x"), SEES_ALL, offer))
    database.close()
    assert row is not None
    settings.uploads.mkdir(exist_ok=True)
    PartFiles(settings.uploads).path(row.id).write_bytes(picture(2))
    return row


def finish_beside(settings: Settings, begun: UploadRow, *, videos: PictureMaker | None = None) -> UploadRow:
    """As a service does that has just started."""
    database = Database(settings.database_url)
    finishing = Finishing(settings, database, PartFiles(settings.uploads), videos or PictureMaker(environment={}))
    with database.reading() as session:
        row = find_upload(session, begun.id)
    assert row is not None
    if row.state.has_ended:
        finishing.clear_away(row)
    else:
        finishing.finish(row)
    with database.reading() as session:
        row = find_upload(session, begun.id)
    database.close()
    assert row is not None
    return row


def added_files(script: Script) -> dict[str, tuple[int, int]]:
    """Number and bytes by folder, as the audit log has them."""
    document = (
        """{ auditLog(first: 50, filter: {action: "user.files_added"}) { edges { node { changes { key after } } } } }"""
    )
    found: dict[str, tuple[int, int]] = {}
    for edge in script.ask(document)["auditLog"]["edges"]:
        told = {change["key"]: change["after"] for change in edge["node"]["changes"]}
        num_files, num_bytes = found.get(told["folder"], (0, 0))
        found[told["folder"]] = (num_files + told["num_files"], num_bytes + told["num_bytes"])
    return found
