"""Videos through the service: uploaded, browsed, scanned, shown, counted before a start."""

import io
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from domain.config.buckets import Placement, geometry_of, picture_seed, place
from domain.config.checks import check_dataset, check_training
from domain.families.registry import FAMILIES
from tests.service.conftest import Script, Server
from tests.service.test_scans import new_dataset, scan
from tests.service.test_training_view import NEW_ENVIRONMENT
from tests.service.uploading import Tus
from tests.trainer.filming import film, record_sound
from trainer.data.sources.local import LocalFolder
from trainer.data.videos import measure_video, read_clip

OPTIONS: dict[str, Any] = {
    "dataset_type": "video",
    "crop": False,
    "upscale": True,
    "video": {"num_frames": 9, "min_frames": 5, "bucket_strategy": "resolution_frames"},
}
CONFIG: dict[str, Any] = {
    "model_family": "wan",
    "pretrained_model_name_or_path": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
    "resolution": 64,
    "seed": 7,
}
SEEN = """query ($id: ID!, $environment: ID, $filter: DatasetImageFilter) { dataset(id: $id) {
  numImages
  scan { report(environmentId: $environment) {
    numImages formats { name numImages } totalSeconds fewestFrames mostFrames frameRates { name numImages }
    problems { problem names }
  } }
  buckets(environmentId: $environment) { width height numFrames numImages }
  images(first: 20, environmentId: $environment, filter: $filter) { edges { node {
    path width height numFrames clipFrames durationSeconds format mode caption leftOut url thumbnailUrl
    preview(environmentId: $environment) { url width height }
  } } }
} }"""
PREFLIGHT = """query ($id: ID!) { preflight(environmentId: $id) {
  ok problems { code message } buckets { width height numFrames numImages } numImages
} }"""
BROWSE = "query ($path: String!) { directory(path: $path) { entries { name numImages numVideos } } }"


@pytest.fixture(scope="module")
def folder(server: Server) -> Path:
    folder = server.workspace / "datasets" / "films"
    folder.mkdir(parents=True)
    film(folder / "long.mp4", num_frames=20, size=(96, 64), turned=90)
    (folder / "long.txt").write_text("a long film")
    film(folder / "middle.mkv", num_frames=7, size=(64, 64), rate=8)
    film(folder / "short.webm", num_frames=3)
    record_sound(folder / "sound.mp4")
    Image.new("RGB", (64, 64)).save(folder / "poster.png")
    return folder


@pytest.fixture(scope="module")
def films(script: Script, folder: Path) -> str:
    dataset = new_dataset(script, "films", folder, **OPTIONS)
    assert scan(script, dataset)["state"] == "FINISHED"
    return dataset


@pytest.fixture(scope="module")
def environment(script: Script, films: str) -> str:
    return made(script, films, "films")


def made(script: Script, dataset: str, name: str, **config: Any) -> str:
    given = {"name": name, "config": CONFIG | config, "datasetIds": [dataset]}
    answer = script.ask(NEW_ENVIRONMENT, input=given)["createEnvironment"]
    assert answer["errors"] == []
    identity: str = answer["environment"]["id"]
    return identity


def test_scan_tells_of_frames_and_of_what_becomes_of_each(script: Script, films: str, environment: str) -> None:
    found = script.ask(SEEN, id=films, environment=environment)["dataset"]
    assert found["numImages"] == 4
    report = found["scan"]["report"]
    assert round(report.pop("totalSeconds"), 2) == round(20 / 16 + 7 / 8 + 3 / 16, 2)
    assert report == {
        "numImages": 4,
        "formats": [{"name": "MKV", "numImages": 2}, {"name": "MP4", "numImages": 1}],
        "fewestFrames": 3,
        "mostFrames": 20,
        "frameRates": [{"name": "16", "numImages": 2}, {"name": "8", "numImages": 1}],
        "problems": [
            {"problem": "NOT_A_PICTURE", "names": ["sound.mp4"]},
            {"problem": "LEFT_OUT_TOO_SHORT", "names": ["short.webm"]},
            {"problem": "NO_CAPTION", "names": ["middle.mkv", "short.webm", "sound.mp4"]},
        ],
    }
    assert found["buckets"] == [
        {"width": 64, "height": 64, "numFrames": 5, "numImages": 1},
        {"width": 64, "height": 64, "numFrames": 9, "numImages": 1},
    ]
    long, _, short, sound = (edge["node"] for edge in found["images"]["edges"])
    assert (long["width"], long["height"], long["numFrames"], long["clipFrames"]) == (64, 96, 20, 9)
    assert (long["durationSeconds"], long["format"], long["mode"], long["caption"]) == (
        1.25,
        "MP4",
        "h264",
        "a long film",
    )
    assert short["leftOut"] == "has 3 frames, fewer than the 5 that a clip needs"
    assert sound["leftOut"] == "it has sound and no video"
    filtered = script.ask(
        SEEN, id=films, environment=environment, filter={"bucket": {"width": 64, "height": 64, "numFrames": 9}}
    )
    assert [edge["node"]["path"] for edge in filtered["dataset"]["images"]["edges"]] == ["long.mp4"]


def test_video_is_served_in_parts_and_its_first_frame_in_small(
    script: Script, films: str, environment: str, folder: Path
) -> None:
    edges = script.ask(SEEN, id=films, environment=environment)["dataset"]["images"]["edges"]
    long, sound = edges[0]["node"], edges[3]["node"]
    content = (folder / "long.mp4").read_bytes()
    headers = {"x-api-key": script.api_key or "", "range": "bytes=10-29"}
    part = script.client.get(f"{script.server.url}{long['url']}", headers=headers)
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, content[10:30], "video/mp4")
    small = Image.open(BytesIO(script.get(long["thumbnailUrl"]).content))
    assert small.size == (64, 96)
    red, green, _ = small.getpixel((2, 90))  # type: ignore[misc]
    assert red > 180 > 90 > green
    assert script.get(sound["thumbnailUrl"]).status_code == 422
    assert script.get(sound["url"]).status_code == 422


def test_preview_is_the_first_frame_of_the_clip_that_the_trainer_reads(
    script: Script, films: str, environment: str, folder: Path
) -> None:
    preview = script.ask(SEEN, id=films, environment=environment)["dataset"]["images"]["edges"][0]["node"]["preview"]
    shown = Image.open(BytesIO(script.get(preview["url"]).content))
    dataset = check_dataset({"id": "films", "instance_data_dir": str(folder), **OPTIONS})
    config = check_training(CONFIG)
    video = LocalFolder(folder, dataset="films", counts=dataset.counts).picture("long.mp4")
    measured = measure_video(video)
    placed = place(
        geometry_of(dataset, config, FAMILIES["wan"]),
        measured.size,
        seed=picture_seed(config.seed, dataset="films", name="long.mp4"),
        num_frames=measured.num_frames,
    )
    assert isinstance(placed, Placement)
    assert ImageChops.difference(shown, read_clip(video, placed)[0]).getbbox() is None


def test_preflight_counts_clips_as_training_would(script: Script, films: str, environment: str) -> None:
    found = script.ask(PREFLIGHT, id=environment)["preflight"]
    messages = {each["code"]: each["message"] for each in found["problems"]}
    assert messages["UNREADABLE_PICTURES"] == (
        "1 of 4 videos of the dataset 'films' cannot be read and are skipped: sound.mp4"
    )
    assert messages["VIDEOS_LEFT_OUT"] == (
        "1 of 4 videos of the dataset 'films' are left out: short.webm has 3 frames, fewer than the 5 that a clip needs; "
        "change num_frames, min_frames or max_frames in video"
    )
    assert found["numImages"] == 2
    assert found["buckets"] == [
        {"width": 64, "height": 64, "numFrames": 5, "numImages": 1},
        {"width": 64, "height": 64, "numFrames": 9, "numImages": 1},
    ]


def test_family_of_pictures_is_refused_before_the_start(script: Script, films: str) -> None:
    environment = made(script, films, "stills", model_family="sd1x", pretrained_model_name_or_path="owner/model")
    found = script.ask(PREFLIGHT, id=environment)["preflight"]
    assert found["ok"] is False
    [message] = [each["message"] for each in found["problems"] if each["code"] == "INVALID_DATASET"]
    assert message == (
        "dataset 'films': the dataset holds videos, but Stable Diffusion 1.x makes pictures; set model_family to one of wan, "
        "ltxvideo, or take the dataset out of the environment"
    )


def test_folders_say_how_many_videos_they_have(script: Script, server: Server, folder: Path) -> None:
    entries = script.ask(BROWSE, path=str(server.workspace / "datasets"))["directory"]["entries"]
    assert {"name": "films", "numImages": 1, "numVideos": 4} in entries


def test_uploaded_videos_are_looked_into(script: Script, server: Server, tmp_path: Path) -> None:
    target = server.workspace / "datasets" / "sent"
    target.mkdir()
    tus = Tus(script, target)
    video = film(tmp_path / "a.mp4", num_frames=3).read_bytes()
    sound = record_sound(tmp_path / "b.mp4").read_bytes()
    assert tus.send("a.mp4", video)["report"]["added"] == ["a.mp4"]
    refused = tus.send("b.mp4", sound)
    assert (refused["state"], refused["problem"]) == (
        "REFUSED",
        "'b.mp4' holds no video that can be read, whatever it is called: it has sound and no video",
    )
    assert tus.send("c.mkv", b"#EXTM3U\n/etc/passwd\n")["state"] == "REFUSED"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/d.mp4", video)
        archive.writestr("in/d.txt", "a film")
        archive.writestr("in/e.mp4", sound)
    report = tus.send("f.zip", packed.getvalue(), extract=True)["report"]
    assert report["added"] == ["in/d.mp4", "in/d.txt"]
    assert [each["name"] for each in report["skipped"]] == ["in/e.mp4"]
    assert sorted(path.name for path in target.rglob("*.mp4")) == ["a.mp4", "d.mp4"]
