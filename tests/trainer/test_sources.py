"""Which files of a folder are pictures, and which captions they get."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.config.buckets import Geometry, Size
from domain.config.dataset import DatasetConfig
from trainer.data.captions import captions_of
from trainer.data.samples import read_samples
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError

SQUARE = Geometry(resolution=64, alignment=8)


def dataset_at(folder: Path, **options: Any) -> DatasetConfig:
    return DatasetConfig(id="ink", instance_data_dir=str(folder), **options)


def picture_at(path: Path) -> Picture:
    return LocalFolder(path.parent, dataset="ink").picture(path.name)


def test_pictures_are_found_in_all_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = [
        "b.PNG",
        "a.jpeg",
        "deep/er/c.webp",
        "deep/a.bmp",
        "z.jpg",
        "notes.txt",
        ".hidden.png",
        ".git/x.png",
        "d.gif",
    ]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = [picture.name for picture in LocalFolder(tmp_path, dataset="ink").pictures()]
    assert found == ["a.jpeg", "b.PNG", "deep/a.bmp", "deep/er/c.webp", "z.jpg"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nowhere.*does not exist"):
        read_samples(dataset_at(tmp_path / "nowhere"), number=0, geometry=SQUARE, seed=1)


def test_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(TrainingError, match="has no pictures"):
        read_samples(dataset_at(tmp_path), number=0, geometry=SQUARE, seed=1)


def test_excluded_pictures_are_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "b.png", "deep/c.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    dataset = dataset_at(tmp_path, excluded_images=["a.png", "deep/c.png", "gone.png"])
    found = read_samples(dataset, number=0, geometry=SQUARE, seed=1)
    assert ([sample.picture.name for sample in found.samples], found.left_out) == (["b.png"], ())
    everything = dataset_at(tmp_path, excluded_images=["a.png", "b.png", "deep/c.png"])
    with pytest.raises(TrainingError, match="all 3 pictures of dataset 'ink' are in excluded_images"):
        read_samples(everything, number=0, geometry=SQUARE, seed=1)


def test_every_line_of_the_text_file_is_a_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa cat\r\n\r\n  a café  \n".encode())
    assert captions_of(picture_at(tmp_path / "a.png"), dataset_at(tmp_path)) == ("a cat", "a café")


def test_text_file_in_another_encoding_is_read_as_well_as_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("a café".encode("latin-1"))
    assert captions_of(picture_at(tmp_path / "a.png"), dataset_at(tmp_path)) == ("a caf\ufffd",)


def test_picture_without_a_text_file_has_no_caption(tmp_path: Path) -> None:
    assert captions_of(picture_at(tmp_path / "a.png"), dataset_at(tmp_path)) == ()


def test_empty_text_file_is_no_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" \n")
    assert captions_of(picture_at(tmp_path / "a.png"), dataset_at(tmp_path)) == ()


def test_file_name_is_a_caption(tmp_path: Path) -> None:
    dataset = dataset_at(tmp_path, caption_strategy="filename")
    assert captions_of(picture_at(tmp_path / "a_red__cat-face.png"), dataset) == ("a red cat-face",)


def test_instance_prompt_is_the_caption_of_all(tmp_path: Path) -> None:
    dataset = dataset_at(tmp_path, caption_strategy="instanceprompt", instance_prompt="a photo of zorp")
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    found = read_samples(dataset, number=0, geometry=SQUARE, seed=1)
    assert [sample.captions for sample in found.samples] == [("a photo of zorp",)]


# ---- sizes and cuts


def test_pictures_are_placed_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    sizes = {"a.png": (64, 64), "b.png": (200, 100), "small.png": (63, 500), "thin.png": (10_000, 1), "z.png": (80, 90)}
    for name, size in sizes.items():
        Image.new("RGB", size).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"nonsense")
    found = read_samples(dataset_at(tmp_path), number=3, geometry=SQUARE, seed=1)
    assert [sample.picture.name for sample in found.samples] == ["a.png", "b.png", "z.png"]
    assert {(sample.placement.target, sample.dataset) for sample in found.samples} == {(Size(64, 64), 3)}
    assert [message.removeprefix(f"{tmp_path}/").split(",")[0] for message in found.left_out[1:]] == [
        "small.png is 63×500",
        "thin.png is 10000×1",
    ]
    assert found.left_out[0].startswith(f"{tmp_path}/broken.png cannot be read as a picture")


def test_random_cuts_follow_the_name_and_not_the_order(tmp_path: Path) -> None:
    geometry = Geometry(resolution=64, alignment=8, crop_style="random")
    for name in ("b.png", "c.png"):
        Image.new("RGB", (1000, 64)).save(tmp_path / name)
    before = {
        s.picture.name: s.placement
        for s in read_samples(dataset_at(tmp_path), number=0, geometry=geometry, seed=1).samples
    }
    assert len(set(before.values())) == 2
    Image.new("RGB", (1000, 64)).save(tmp_path / "a.png")
    after = {
        s.picture.name: s.placement
        for s in read_samples(dataset_at(tmp_path), number=0, geometry=geometry, seed=1).samples
    }
    assert before.items() < after.items()


def test_folder_with_nothing_to_use_says_why(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(
        TrainingError, match=r"none of the 1 pictures of dataset 'ink' .* can be used; .*a\.png is 8×8, too small"
    ):
        read_samples(dataset_at(tmp_path), number=0, geometry=SQUARE, seed=1)
