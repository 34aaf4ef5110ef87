"""Scans through the API: started, joined, followed, survived; what they report, and the pictures as they are shown."""

import json
import os
import shutil
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from PIL import Image
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from service.graphql.scalars import split_id
from service.scans.report import FAULTS
from tests.service.conftest import Script, Server, set_up
from tests.service.people import Household
from trainer.scan.look import Fault

SCAN = "mutation ($id: ID!) { scanDataset(input: {id: $id}) { dataset { id numImages } errors { code message path } } }"
STATE = "query ($id: ID!) { dataset(id: $id) { scan { state numDone numTotal error cursor startedAt finishedAt } } }"
REPORT = """query ($id: ID!) { dataset(id: $id) { numImages scan { report {
  numImages totalBytes formats { name numImages } modes { name numImages } smallest { width height }
  largest { width height } numRotated numWithAlpha numDuplicates duplicates { numImages names }
  problems { problem numImages names }
} } buckets { width height aspect numImages } } }"""
IMAGES = """query ($id: ID!, $first: Int!, $after: Cursor, $filter: DatasetImageFilter, $environment: ID) { dataset(id: $id) {
  images(first: $first, after: $after, filter: $filter, environmentId: $environment) {
    edges { cursor node { id path width height bucket { width height } leftOut caption url thumbnailUrl problems } }
    pageInfo { hasNextPage endCursor } totalCount
  }
} }"""


def new_dataset(script: Script, name: str, folder: Path, **config: Any) -> str:
    document = (
        "mutation ($input: CreateDatasetInput!) { createDataset(input: $input) { dataset { id } errors { message } } }"
    )
    made = script.ask(document, input={"name": name, "config": {"instance_data_dir": str(folder), **config}})
    assert made["createDataset"]["errors"] == []
    identity: str = made["createDataset"]["dataset"]["id"]
    return identity


def scan(script: Script, dataset: str) -> dict[str, Any]:
    assert script.ask(SCAN, id=dataset)["scanDataset"]["errors"] == []
    return wait_for_end(script, dataset)


def wait_for_end(script: Script, dataset: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = script.ask(STATE, id=dataset)["dataset"]["scan"]
        if found["state"] in ("FINISHED", "FAILED"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"the scan did not end: {found}")


def images(script: Script, dataset: str, first: int = 100, **variables: Any) -> dict[str, Any]:
    found: dict[str, Any] = script.ask(IMAGES, id=dataset, first=first, **variables)["dataset"]["images"]
    return found


def paths(script: Script, dataset: str, **filter: Any) -> list[str]:
    found = images(script, dataset, filter=filter)
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"]["path"] for edge in found["edges"]]


def key_of(dataset: str) -> str:
    return str(UUID(split_id(dataset)[1]))


def fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    large = Image.radial_gradient("L").resize((1400, 1100)).convert("RGB")
    large.save(folder / "a.jpg")
    (folder / "a.txt").write_text("a red ship\nA second line\n")
    shutil.copy(folder / "a.jpg", folder / "copy of a.jpg")
    (folder / "copy of a.txt").write_text("a Blue ship")
    large.resize((2000, 800)).save(folder / "wide.png")
    large.resize((200, 100)).save(folder / "small.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    large.save(folder / "turned.jpg", exif=turned, quality=50)
    (folder / "broken.png").write_bytes((folder / "wide.png").read_bytes()[:5000])
    with open(os.fsencode(folder) + b"/odd \xff name?.png", "wb") as file:
        large.resize((1024, 1024)).save(file, "PNG")


def fill_with_noise(folder: Path, number: int) -> None:
    """Pictures that take a moment each to decode."""
    folder.mkdir(parents=True)
    Image.effect_noise((700, 700), 50).save(folder / "0.png", compress_level=1)
    for each in range(1, number):
        shutil.copy(folder / "0.png", folder / f"{each}.png")


@pytest.fixture(scope="module")
def folder(server: Server) -> Path:
    folder = server.workspace / "datasets" / "ships"
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def ships(script: Script, folder: Path) -> str:
    dataset = new_dataset(script, "ships", folder, resolution=1024, resolution_type="pixel_area", crop=True)
    assert scan(script, dataset)["state"] == "FINISHED"
    return dataset


def test_faults_of_the_scan_are_problems_of_the_api() -> None:
    assert list(FAULTS) == [str(fault) for fault in Fault]


def test_report_tells_what_there_is(script: Script, ships: str, folder: Path) -> None:
    found = script.ask(REPORT, id=ships)["dataset"]
    assert found["numImages"] == 7
    assert found["scan"]["report"] == {
        "numImages": 7,
        "totalBytes": sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".txt"),
        "formats": [{"name": "PNG", "numImages": 4}, {"name": "JPEG", "numImages": 3}],
        "modes": [{"name": "RGB", "numImages": 7}],
        "smallest": {"width": 200, "height": 100},
        "largest": {"width": 2000, "height": 800},
        "numRotated": 1,
        "numWithAlpha": 0,
        "numDuplicates": 1,
        "duplicates": [{"numImages": 2, "names": ["a.jpg", "copy of a.jpg"]}],
        "problems": [
            {"problem": "TRUNCATED", "numImages": 1, "names": ["broken.png"]},
            {"problem": "LEFT_OUT_TOO_SMALL", "numImages": 2, "names": ["small.png", "wide.png"]},
            {
                "problem": "NO_CAPTION",
                "numImages": 5,
                "names": ["broken.png", "odd \\xff name?.png", "small.png", "turned.jpg", "wide.png"],
            },
            {"problem": "DUPLICATE", "numImages": 2, "names": ["a.jpg", "copy of a.jpg"]},
        ],
    }
    assert found["buckets"] == [{"width": 1024, "height": 1024, "aspect": 1.0, "numImages": 4}]


def test_images_are_paged_by_name_and_filtered(script: Script, ships: str) -> None:
    first = images(script, ships, 4)
    rest = images(script, ships, 4, after=first["pageInfo"]["endCursor"])
    names = [edge["node"]["path"] for page in (first, rest) for edge in page["edges"]]
    assert names == [
        *("a.jpg", "broken.png", "copy of a.jpg", "odd \\xff name?.png"),
        *("small.png", "turned.jpg", "wide.png"),
    ]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert first["totalCount"] == 7
    a, broken = first["edges"][0]["node"], first["edges"][1]["node"]
    assert (a["width"], a["height"], a["bucket"]) == (1400, 1100, {"width": 1024, "height": 1024})
    assert (a["caption"], a["problems"]) == ("a red ship\nA second line", ["DUPLICATE"])
    assert (broken["bucket"], broken["problems"]) == (None, ["TRUNCATED", "NO_CAPTION"])
    assert "truncated" in broken["leftOut"]
    assert paths(script, ships, caption="blue") == ["copy of a.jpg"]
    assert paths(script, ships, path="COPY") == ["copy of a.jpg"]
    assert paths(script, ships, problem="LEFT_OUT_TOO_SMALL") == ["small.png", "wide.png"]
    assert paths(script, ships, bucket={"width": 1024, "height": 1024}) == [
        *("a.jpg", "copy of a.jpg", "odd \\xff name?.png", "turned.jpg")
    ]
    assert paths(script, ships, sameAs=a["id"]) == ["a.jpg", "copy of a.jpg"]
    assert paths(script, ships, excluded=True) == []
    assert len(paths(script, ships, excluded=False)) == 7


def test_environment_decides_what_becomes_of_pictures(script: Script, folder: Path) -> None:
    dataset = new_dataset(script, "plain ships", folder, crop=False)
    scan(script, dataset)
    document = "mutation ($input: CreateEnvironmentInput!) { createEnvironment(input: $input) { environment { id } errors { message } } }"
    config = {"model_family": "sd1x", "resolution": 128, "resolution_type": "pixel"}
    made = script.ask(document, input={"name": "tiny", "config": config, "datasetIds": [dataset]})["createEnvironment"]
    environment = made["environment"]["id"]
    buckets = script.ask(
        "query ($id: ID!, $e: ID!) { dataset(id: $id) { buckets(environmentId: $e) { width height numImages } } }",
        id=dataset,
        e=environment,
    )["dataset"]["buckets"]
    assert {"width": 320, "height": 128, "numImages": 1} in buckets
    wide = images(script, dataset, filter={"path": "wide"}, environment=environment)["edges"][0]["node"]
    assert wide["bucket"] == {"width": 320, "height": 128}


def test_scan_is_joined_and_repeated_and_says_what_failed(script: Script, server: Server) -> None:
    folder = server.workspace / "datasets" / "nothing yet"
    dataset = new_dataset(script, "nothing yet", folder)
    assert script.ask(STATE, id=dataset)["dataset"]["scan"] is None
    assert images(script, dataset)["totalCount"] == 0
    found = scan(script, dataset)
    assert found["state"] == "FAILED"
    assert "does not exist; correct its instance_data_dir" in found["error"]
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    assert scan(script, dataset)["state"] == "FINISHED"
    assert script.ask(SCAN, id=dataset)["scanDataset"]["dataset"]["numImages"] == 1


def follow(script: Script, dataset: str, after: str | None = None) -> Iterator[dict[str, Any]]:
    operation = "subscription ($id: ID!, $after: Cursor) { datasetScan(id: $id, after: $after) { state numDone numTotal cursor } }"
    url = f"{script.server.url.replace('http', 'ws')}/graphql"
    headers = {"X-API-Key": script.api_key or ""}
    with connect(
        url, subprotocols=[Subprotocol("graphql-transport-ws")], additional_headers=headers, proxy=None
    ) as socket:
        socket.send(json.dumps({"type": "connection_init"}))
        socket.recv(timeout=10)
        payload = {"query": operation, "variables": {"id": dataset, "after": after}}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        while True:
            message = json.loads(socket.recv(timeout=20))
            assert message["type"] == "next", message
            yield message["payload"]["data"]["datasetScan"]


def test_progress_is_followed_from_a_cursor(script: Script, server: Server) -> None:
    folder = server.workspace / "datasets" / "many"
    fill_with_noise(folder, 60)
    dataset = new_dataset(script, "many", folder)
    script.ask(SCAN, id=dataset)
    seen = []
    for update in follow(script, dataset):
        seen.append(update)
        if update["state"] in ("FINISHED", "FAILED"):
            break
    assert seen[-1] | {"cursor": None} == {"state": "FINISHED", "numDone": 60, "numTotal": 60, "cursor": None}
    assert len({update["cursor"] for update in seen}) == len(seen) > 1
    (folder / "0.png").unlink()
    script.ask(SCAN, id=dataset)
    for update in follow(script, dataset, after=seen[-1]["cursor"]):
        assert update["cursor"] != seen[-1]["cursor"]
        if update["state"] == "FINISHED":
            break
    assert update["numTotal"] == 59


def test_killed_service_and_killed_scan_lose_nothing(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server().start()
    script = set_up(server)
    folder = server.workspace / "datasets" / "many"
    fill_with_noise(folder, 60)
    dataset = new_dataset(script, "many", folder)
    kept = server.workspace / "scans" / key_of(dataset)
    script.ask(SCAN, id=dataset)
    server.kill(signal.SIGKILL)
    server.start()
    script.client.close()
    script = Script(server, api_key=script.api_key)
    assert wait_for_end(script, dataset)["numTotal"] == 60
    for path in kept.glob("index*"):
        path.unlink()
    deadline = time.monotonic() + 30
    while not (kept / "index.sqlite3").exists():
        assert time.monotonic() < deadline, "an index that was deleted is not made anew"
        time.sleep(0.05)
    assert wait_for_end(script, dataset)["numDone"] == 60
    script.ask("mutation ($id: ID!) { deleteDataset(input: {id: $id}) { deletedId } }", id=dataset)
    while kept.exists():
        assert time.monotonic() < deadline, "what was known of a deleted dataset is still there"
        time.sleep(0.05)


# ---- pictures


def node(script: Script, dataset: str, path: str) -> dict[str, Any]:
    [edge] = images(script, dataset, filter={"path": path})["edges"]
    found: dict[str, Any] = edge["node"]
    return found


def test_original_and_thumbnail_are_served(script: Script, ships: str, folder: Path) -> None:
    turned = node(script, ships, "turned")
    original = script.get(turned["url"])
    assert original.content == (folder / "turned.jpg").read_bytes()
    assert original.headers["content-type"] == "image/jpeg"
    assert original.headers["x-content-type-options"] == "nosniff"
    assert original.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "immutable" in original.headers["cache-control"]
    small = script.get(turned["thumbnailUrl"])
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(BytesIO(small.content)).size == (251, 320)
    assert "immutable" in small.headers["cache-control"]
    assert script.get(node(script, ships, "odd")["thumbnailUrl"]).status_code == 200
    other_version = urlsplit(turned["url"]).path + "?v=something"
    assert script.get(other_version).headers["cache-control"] == "no-store"


def test_what_cannot_be_shown_says_so_and_strangers_learn_nothing(script: Script, ships: str) -> None:
    broken = node(script, ships, "broken")
    answer = script.get(broken["thumbnailUrl"])
    assert answer.status_code == 422
    assert "truncated" in answer.text
    assert Script(script.server).get(broken["url"]).status_code == 401
    key = key_of(ships)
    for path in (f"{key}/{'0' * 32}/original", f"{key}/..%2f..%2fa/original", f"{key}/{'0' * 32}/preview"):
        assert script.get(f"/media/datasets/{path}").status_code == 404
    assert script.get(f"/media/datasets/{'0' * 32}/{'0' * 32}/original").status_code == 404


def test_pictures_of_an_archive_are_scanned_and_shown(script: Script, server: Server, tmp_path: Path) -> None:
    folder = server.workspace / "datasets" / "archive"
    folder.mkdir(parents=True)
    Image.new("RGB", (400, 200), "red").save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("in a tar")
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for name in ("a.png", "a.txt"):
            tar.add(tmp_path / name, arcname=name)
    document = (
        "mutation ($input: CreateDatasetInput!) { createDataset(input: $input) { dataset { id } errors { message } } }"
    )
    given = {"name": "archive", "config": {"type": "webshart", "source": str(folder)}}
    made = script.ask(document, input=given)["createDataset"]
    assert made["errors"] == []
    dataset = made["dataset"]["id"]
    assert scan(script, dataset)["state"] == "FINISHED"
    [edge] = images(script, dataset)["edges"]
    picture = edge["node"]
    assert (picture["width"], picture["height"], picture["caption"]) == (400, 200, "in a tar")
    assert script.get(picture["url"]).content == (tmp_path / "a.png").read_bytes()
    assert Image.open(BytesIO(script.get(picture["thumbnailUrl"]).content)).size == (320, 160)


def test_who_may_not_see_the_dataset_sees_no_picture_of_it(script: Script, server: Server, ships: str) -> None:
    level = '{name: "uploaders", permissions: ["config.create", "api.access"]}'
    made = script.ask(f"mutation {{ createLevel(input: {level}) {{ errors {{ message }} }} }}")
    assert made["createLevel"]["errors"] == []
    person = Household(server).new_person("ulla", ["uploaders"])
    picture = node(script, ships, "turned")
    for credential in (person.session, person.key):
        assert [credential.get(picture[url]).status_code for url in ("url", "thumbnailUrl")] == [404, 404]
        answer = credential.post(SCAN, id=ships).json()
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_links_are_served_only_within_what_is_open(script: Script, server: Server, tmp_path: Path) -> None:
    folder = server.workspace / "datasets" / "links"
    folder.mkdir(parents=True)
    picture = Image.new("RGB", (8, 8), "red")
    picture.save(tmp_path / "secret.png")
    picture.save(folder / "later.png")
    (folder / "escaped.png").symlink_to(tmp_path / "secret.png")
    dataset = new_dataset(script, "links", folder)
    scan(script, dataset)
    escaped, later = node(script, dataset, "escaped"), node(script, dataset, "later")
    assert escaped["problems"] == ["OUTSIDE", "NO_CAPTION"]
    assert script.get(escaped["url"]).status_code == 404
    (folder / "later.png").unlink()
    (folder / "later.png").symlink_to(tmp_path / "secret.png")
    assert [script.get(later[url]).status_code for url in ("url", "thumbnailUrl")] == [404, 404]


def test_nothing_but_pictures_is_served(script: Script, server: Server) -> None:
    folder = server.workspace / "datasets" / "texts"
    folder.mkdir(parents=True)
    (folder / "page.png").write_text("<script>alert(1)</script>")
    dataset = new_dataset(script, "texts", folder)
    scan(script, dataset)
    page = node(script, dataset, "page")
    assert page["problems"] == ["NOT_A_PICTURE", "NO_CAPTION"]
    assert [script.get(page[url]).status_code for url in ("url", "thumbnailUrl")] == [422, 422]


def test_file_that_changed_since_the_scan_is_not_kept_under_its_address(script: Script, server: Server) -> None:
    folder = server.workspace / "datasets" / "changing"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(folder / "a.png")
    dataset = new_dataset(script, "changing", folder)
    scan(script, dataset)
    before = node(script, dataset, "a.png")
    assert Image.open(BytesIO(script.get(before["thumbnailUrl"]).content)).size == (8, 8)
    Image.new("RGB", (16, 16), "blue").save(folder / "a.png")
    answer = script.get(before["thumbnailUrl"])
    assert (Image.open(BytesIO(answer.content)).size, answer.headers["cache-control"]) == ((16, 16), "no-store")
    scan(script, dataset)
    after = node(script, dataset, "a.png")
    assert after["thumbnailUrl"] != before["thumbnailUrl"]
    assert "immutable" in script.get(after["thumbnailUrl"]).headers["cache-control"]
