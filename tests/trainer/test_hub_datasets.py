"""Copies of datasets of the Hugging Face Hub, made and read by its own library."""

import os
import subprocess
import sys
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import datasets
from domain.config.buckets import Geometry
from domain.config.checks import check_dataset
from domain.config.parts.dataset_source import HubSettings
from domain.config.training import TrainingConfig
from tests.service.hubs import running_hub
from trainer.data.captions import read_caption_rules
from trainer.data.samples import Found, read_samples
from trainer.data.sources.hub_dataset import is_kept
from trainer.errors import TrainingError

CONFIG = TrainingConfig(model_family="sd1x")


def picture(color: str, size: tuple[int, int] = (64, 64)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, color).save(file, "png")
    return file.getvalue()


COLORS = {"red": (64, 64), "green": (80, 64), "blue": (8, 8)}
ROWS = {
    "image": [{"bytes": picture(color, size), "path": None} for color, size in COLORS.items()],
    "title": ["one", "", "three"],
    "about": [{"short": ["a", "b"]}, {"short": []}, {"short": ["c"]}],
    "collection": ["x", "y", "x"],
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The same rows, saved in each of the ways that there are."""
    root = tmp_path_factory.mktemp("copies")
    rows = datasets.Dataset.from_dict(ROWS).cast_column("image", datasets.Image())
    rows.save_to_disk(root / "one")
    datasets.DatasetDict({"train": rows, "test": rows.select([0])}).save_to_disk(root / "several")
    rows.to_parquet(root / "clone" / "data" / "train-00000-of-00001.parquet")
    rows.select([0]).to_parquet(root / "clone" / "data" / "test-00000-of-00001.parquet")
    return {name: root / name for name in ("one", "several", "clone")}


def found_in(place: Path | str, **options: Any) -> Found:
    written = {"id": "ink", "type": "huggingface", "dataset_name": str(place), "caption_strategy": "huggingface"}
    dataset = check_dataset({**written, **options})
    captions = read_caption_rules(dataset, CONFIG)
    return read_samples(dataset, number=0, geometry=Geometry(resolution=64), captions=captions, seed=1)


def captions_by_name(found: Found) -> dict[str, tuple[str, ...]]:
    return {sample.picture.name: sample.captions for sample in found.samples}


@pytest.mark.parametrize("name", ["one", "several", "clone"])
def test_rows_of_a_copy_are_pictures(copies: Mapping[str, Path], tmp_path: Path, name: str) -> None:
    found = found_in(
        copies[name],
        caption_column="about.short",
        huggingface={"fallback_caption_column": "title"},
        cache_dir=str(tmp_path),
    )
    assert captions_by_name(found) == {"000000000": ("a", "b"), "000000001": ("",)}
    assert [each.split(" is ")[0] for each in found.left_out] == [f"row 2 of {copies[name]}"]
    with found.samples[1].picture.open() as file:
        assert file.read() == picture("green", COLORS["green"])
    if name != "one":
        assert len(found_in(copies[name], split="test", cache_dir=str(tmp_path)).samples) == 1


def test_columns_are_combined_and_fallen_back_from(copies: Mapping[str, Path]) -> None:
    both = found_in(copies["one"], caption_column=["title", "about.short"])
    assert captions_by_name(both)["000000000"] == ("one", "a", "b")
    settings = {"caption_column": "about.short", "fallback_caption_column": "collection"}
    assert captions_by_name(found_in(copies["one"], huggingface=settings))["000000001"] == ("y",)


def test_filtered_rows_are_counted_and_the_others_keep_their_names(copies: Mapping[str, Path]) -> None:
    found = found_in(copies["one"], huggingface={"filter_func": {"collection": ["y"]}})
    assert list(captions_by_name(found)) == ["000000001"]
    assert found.left_out == (f"2 rows of {copies['one']}, by filter_func",)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, True),
        ({"collection": "photo"}, True),
        ({"collection": ["ink", "photo"]}, True),
        ({"collection": "ink"}, False),
        ({"quality_thresholds": {"clear": 4}}, True),
        ({"quality_thresholds": {"clear": 4, "fine": 4}}, False),
        ({"quality_thresholds": {"unknown": 0}}, False),
        ({"min_width": 100, "min_height": 50}, True),
        ({"min_height": 51}, False),
    ],
)
def test_filter_lets_rows_through(wanted: dict[str, Any], expected: bool) -> None:
    row = {"collection": "photo", "quality_assessment": {"clear": 4.5, "fine": 3}, "width": 100, "high": 50}
    settings = HubSettings.model_validate({"filter_func": wanted, "height_column": "high"})
    assert is_kept(row, settings) is expected


def test_rows_without_a_picture_or_with_one_of_elsewhere_are_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "secret.png")
    rows = [
        {"bytes": picture("red"), "path": None},
        {"bytes": None, "path": str(tmp_path / "secret.png")},
        {"bytes": None, "path": None},
        {"bytes": b"nonsense", "path": None},
    ]
    features = datasets.Features({"image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}})
    datasets.Dataset.from_dict({"image": rows}, features=features).save_to_disk(tmp_path / "copy")
    found = found_in(tmp_path / "copy")
    assert list(captions_by_name(found)) == ["000000000"]
    reasons = [each.partition(" cannot be read as a picture: ")[2] for each in found.left_out]
    assert reasons[:2] == [f"it names {tmp_path}/secret.png, outside the dataset", "it has no picture"]
    assert reasons[2].startswith("cannot identify image file")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"image_column": "img"}, "it has no column 'img', but image, title, about, collection; correct"),
        ({"image_column": "title"}, "its column 'title' has no pictures; correct image_column"),
        ({"caption_column": "words"}, "it has no column 'words'"),
        ({"split": "dev"}, "it has no split 'dev', but train, test; correct split"),
    ],
)
def test_what_a_copy_does_not_have_is_named(copies: Mapping[str, Path], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(TrainingError, match=f"dataset 'ink': .*several cannot be used: {reason}"):
        found_in(copies["several"], **options)


def test_folder_that_is_no_copy_is_named(copies: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no dataset that was saved to disk, and no \.parquet file"):
        found_in(tmp_path)
    with pytest.raises(TrainingError, match=r"none of its \.parquet files is of the split 'dev'"):
        found_in(copies["clone"], split="dev")
    (tmp_path / "train.parquet").write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match=r"dataset 'ink': .* cannot be used: .*correct dataset_name"):
        found_in(tmp_path, cache_dir=str(tmp_path / "cache"))


ASK = """
import sys
from domain.config.checks import check_dataset
from trainer.data.sources.registry import source_of
from trainer.errors import TrainingError

for name in sys.argv[1:]:
    try:
        next(iter(source_of(check_dataset({"id": "ink", "type": "huggingface", "dataset_name": name})).pictures()))
    except TrainingError as error:
        print(error)
"""


def test_dataset_that_the_hub_keeps_back_is_explained(tmp_path: Path) -> None:
    """In a process of its own: the library reads where the Hub is when it is loaded."""
    with running_hub() as hub:
        said = subprocess.run(
            [sys.executable, "-c", ASK, "someone/gated", "someone/missing"],
            env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_TOKEN": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.splitlines()
    assert len(said) == 2
    for name, line in zip(("someone/gated", "someone/missing"), said, strict=True):
        assert line.startswith(
            f"dataset 'ink': {name} cannot be used: the Hub does not give it out; correct dataset_name"
        )
        assert f"accept its terms at {hub.url}/datasets/{name}, store a token as HF_TOKEN" in line
