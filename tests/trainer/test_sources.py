"""Which files of a folder are pictures, and which captions they get."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.config.dataset import DatasetConfig
from trainer.data.captions import captions_of
from trainer.data.sources import list_pictures, read_samples
from trainer.errors import TrainingError


def dataset_at(folder: Path, **options: Any) -> DatasetConfig:
    return DatasetConfig(id="ink", instance_data_dir=str(folder), **options)


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
    found = [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path)]
    assert found == ["a.jpeg", "b.PNG", "deep/a.bmp", "deep/er/c.webp", "z.jpg"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nowhere.*does not exist"):
        read_samples(dataset_at(tmp_path / "nowhere"), place=0, edge=64)


def test_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(TrainingError, match="has no pictures"):
        read_samples(dataset_at(tmp_path), place=0, edge=64)


def test_every_line_of_the_text_file_is_a_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa cat\r\n\r\n  a café  \n".encode())
    assert captions_of(tmp_path / "a.png", dataset_at(tmp_path)) == ("a cat", "a café")


def test_text_file_in_another_encoding_is_read_as_well_as_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("a café".encode("latin-1"))
    assert captions_of(tmp_path / "a.png", dataset_at(tmp_path)) == ("a caf\ufffd",)


def test_picture_without_a_text_file_has_no_caption(tmp_path: Path) -> None:
    assert captions_of(tmp_path / "a.png", dataset_at(tmp_path)) == ()


def test_empty_text_file_is_no_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" \n")
    assert captions_of(tmp_path / "a.png", dataset_at(tmp_path)) == ()


def test_file_name_is_a_caption(tmp_path: Path) -> None:
    dataset = dataset_at(tmp_path, caption_strategy="filename")
    assert captions_of(tmp_path / "a_red__cat-face.png", dataset) == ("a red cat-face",)


def test_instance_prompt_is_the_caption_of_all(tmp_path: Path) -> None:
    dataset = dataset_at(tmp_path, caption_strategy="instanceprompt", instance_prompt="a photo of zorp")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert [sample.captions for sample in read_samples(dataset, place=0, edge=64)] == [("a photo of zorp",)]
