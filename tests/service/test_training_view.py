"""What training would see: pictures excluded from it, and previews equal to what the trainer reads, pixel by pixel."""

import asyncio
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from domain.config.buckets import Placement, geometry_of, picture_seed, place
from domain.config.checks import check_dataset, check_training
from domain.families.registry import FAMILIES
from service.scans.files import prune
from service.scans.maker import CannotMake, PictureMaker
from tests.service.conftest import Script, Server
from tests.service.test_scans import images, new_dataset, paths, scan
from trainer.data.pictures import read_picture, size_of
from trainer.data.sources.local import LocalFolder

EXCLUDE = """mutation ($input: ExcludeImagesInput!) { excludeImages(input: $input) {
  dataset { version config buckets { width height numImages } } numImages errors { code message }
} }"""
PREVIEW = """query ($id: ID!, $filter: DatasetImageFilter, $environment: ID) { dataset(id: $id) {
  images(first: 10, filter: $filter) { edges { node { path preview(environmentId: $environment) {
    url width height region { x y width height } intermediary { width height } captions
  } } } }
} }"""
NEW_ENVIRONMENT = "mutation ($input: CreateEnvironmentInput!) { createEnvironment(input: $input) { environment { id } errors { message } } }"
PREFLIGHT = "query ($id: ID!) { preflight(environmentId: $id) { numImages } }"


def fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    gradient = Image.radial_gradient("L")
    colours = Image.merge("RGB", (gradient, gradient.rotate(90), gradient.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    turned = Image.Exif()
    turned[0x0112] = 6
    colours.resize((300, 200)).save(folder / "turned.jpg", exif=turned)
    Image.merge("LA", (gradient, gradient.rotate(45))).resize((256, 160)).save(folder / "clear.png")
    colours.resize((200, 280)).convert("CMYK").save(folder / "cmyk.jpg")
    gradient.resize((310, 170)).convert("I;16").save(folder / "sixteen.png")
    colours.resize((90, 90)).save(folder / "small.png")
    (folder / "clear.txt").write_text("seen through")


@pytest.fixture(scope="module")
def folder(server: Server) -> Path:
    folder = server.workspace / "datasets" / "views"
    fill(folder)
    return folder


OPTIONS: dict[str, Any] = {"crop": True, "crop_style": "random", "crop_aspect": "square"}


@pytest.fixture(scope="module")
def views(script: Script, folder: Path) -> str:
    dataset = new_dataset(script, "views", folder, **OPTIONS)
    assert scan(script, dataset)["state"] == "FINISHED"
    return dataset


@pytest.fixture(scope="module")
def environment(script: Script, views: str) -> str:
    config = {"model_family": "sd1x", "resolution": 128, "resolution_type": "pixel", "seed": 7}
    config |= {"instance_prompt": "ink", "prepend_instance_prompt": True}
    given = {"name": "views", "config": config, "datasetIds": [views]}
    made: str = script.ask(NEW_ENVIRONMENT, input=given)["createEnvironment"]["environment"]["id"]
    return made


@pytest.mark.parametrize("name", ["turned.jpg", "clear.png", "cmyk.jpg", "sixteen.png"])
def test_preview_is_what_the_trainer_reads(
    script: Script, views: str, environment: str, folder: Path, name: str
) -> None:
    [edge] = script.ask(PREVIEW, id=views, filter={"path": name}, environment=environment)["dataset"]["images"]["edges"]
    preview = edge["node"]["preview"]
    dataset = check_dataset({"id": "views", "instance_data_dir": str(folder), **OPTIONS})
    config = check_training({"model_family": "sd1x", "resolution": 128, "resolution_type": "pixel", "seed": 7})
    picture = LocalFolder(folder, dataset="views").picture(name)
    geometry = geometry_of(dataset, config, FAMILIES["sd1x"])
    placed = place(geometry, size_of(picture), seed=picture_seed(7, dataset="views", name=name))
    assert isinstance(placed, Placement)
    answer = script.get(preview["url"])
    assert answer.headers["content-type"] == "image/png"
    shown = Image.open(BytesIO(answer.content))
    assert ImageChops.difference(shown, read_picture(picture, placed)).getbbox() is None
    left, top, right, bottom = placed.region
    assert preview["region"] == {"x": left, "y": top, "width": right - left, "height": bottom - top}
    assert (preview["width"], preview["height"]) == placed.target == (128, 128)
    assert (preview["intermediary"]["width"], preview["intermediary"]["height"]) == placed.intermediary
    assert preview["captions"] == (["ink seen through"] if name == "clear.png" else ["ink"])


def test_picture_that_is_left_out_has_no_preview(script: Script, views: str, environment: str) -> None:
    [edge] = script.ask(PREVIEW, id=views, filter={"path": "small"}, environment=environment)["dataset"]["images"][
        "edges"
    ]
    assert edge["node"]["preview"] is None


def test_preview_of_another_dataset_is_not_served(script: Script, views: str, environment: str, folder: Path) -> None:
    [edge] = script.ask(PREVIEW, id=views, filter={"path": "clear"}, environment=environment)["dataset"]["images"][
        "edges"
    ]
    url: str = edge["node"]["preview"]["url"]
    other = new_dataset(script, "other views", folder)
    scan(script, other)
    [foreign] = {each["node"]["url"].split("/")[3] for each in images(script, other)["edges"]}
    parts = url.split("/")
    assert script.get(url).status_code == 200
    assert script.get("/".join([*parts[:3], foreign, *parts[4:]])).status_code == 404


def test_caption_behind_a_link_is_not_told(script: Script, views: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a secret")
    (folder / "cmyk.txt").symlink_to(tmp_path / "secret.txt")
    document = PREVIEW.replace("path preview", "path caption preview")
    own = new_dataset(script, "views as they are", folder, resolution=64, resolution_type="pixel", upscale=True)
    scan(script, own)
    [edge] = script.ask(document, id=own, filter={"path": "cmyk"})["dataset"]["images"]["edges"]
    (folder / "cmyk.txt").unlink()
    assert (edge["node"]["caption"], edge["node"]["preview"]["captions"]) == (None, [])


def test_process_that_a_request_ends_is_replaced(folder: Path, tmp_path: Path) -> None:
    request = {
        **{"do": "thumbnail", "edge": 32, "name": "cmyk.jpg", "version": "1", "out": str(tmp_path / "small")},
        "dataset": {"id": "views", "instance_data_dir": str(folder)},
        "open_folders": [],
    }

    async def ask() -> None:
        maker = PictureMaker(environment=os.environ)
        for _ in range(2):
            with pytest.raises(CannotMake, match="ended the process"):
                await maker.make({"do": "what nobody foresaw"})
        assert await maker.make(request) == {}
        with pytest.raises(CannotMake, match="it is no file"):
            await maker.make(request | {"name": "gone.png"})
        maker.close()

    asyncio.run(ask())
    assert Image.open(tmp_path / "small").size == (23, 32)


@pytest.mark.parametrize(("max_bytes", "left"), [(300, "abc"), (299, "c"), (90, "")])
def test_cache_of_thumbnails_is_pruned_from_its_oldest(tmp_path: Path, max_bytes: int, left: str) -> None:
    (tmp_path / "dataset" / "00").mkdir(parents=True)
    for age, name in enumerate("abc"):
        path = tmp_path / "dataset" / "00" / name
        path.write_bytes(bytes(100))
        os.utime(path, (age, age))
    prune(tmp_path, max_bytes=max_bytes)
    assert "".join(sorted(path.name for path in tmp_path.glob("*/*/*"))) == left


def test_excluded_picture_is_not_trained_on(script: Script, server: Server) -> None:
    folder = server.workspace / "datasets" / "excluding"
    fill(folder)
    dataset = new_dataset(script, "excluding", folder, crop=True, resolution=128, resolution_type="pixel", upscale=True)
    scan(script, dataset)
    given = {"name": "excluding", "config": {"model_family": "sd1x"}, "datasetIds": [dataset]}
    environment = script.ask(NEW_ENVIRONMENT, input=given)["createEnvironment"]["environment"]["id"]
    assert script.ask(PREFLIGHT, id=environment)["preflight"]["numImages"] == 5

    def exclude(**more: Any) -> Any:
        return script.ask(EXCLUDE, input={"datasetId": dataset, **more})["excludeImages"]

    ids = {edge["node"]["path"]: edge["node"]["id"] for edge in images(script, dataset)["edges"]}
    done = exclude(imageIds=[ids["clear.png"], ids["small.png"]])
    assert (done["numImages"], done["dataset"]["version"]) == (2, 2)
    assert done["dataset"]["config"]["excluded_images"] == ["clear.png", "small.png"]
    assert done["dataset"]["buckets"] == [{"width": 128, "height": 128, "numImages": 3}]
    assert (
        paths(script, dataset, excluded=True)
        == paths(script, dataset, problem="EXCLUDED")
        == ["clear.png", "small.png"]
    )
    [edge] = images(script, dataset, filter={"path": "clear"})["edges"]
    assert (edge["node"]["bucket"], edge["node"]["leftOut"]) == (None, "somebody has excluded it")
    assert script.ask(PREFLIGHT, id=environment)["preflight"]["numImages"] == 3
    assert [error["code"] for error in exclude(imageIds=[ids["cmyk.jpg"]], expectedVersion=1)["errors"]] == [
        "STALE_VERSION"
    ]
    again = exclude(filter={"excluded": True}, excluded=False, expectedVersion=2)
    assert "excluded_images" not in again["dataset"]["config"]
    assert script.ask(PREFLIGHT, id=environment)["preflight"]["numImages"] == 5
