"""Which files of a folder are pictures, and which captions they get."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.config.buckets import Geometry, Size
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from trainer.data.captions import captions_of, read_caption_rules
from trainer.data.samples import Found, read_samples
from trainer.data.sources.links import LEADS_OUTSIDE
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError

SQUARE = Geometry(resolution=64, alignment=8)
CONFIG = TrainingConfig(model_family="sd1x")


def dataset_at(folder: Path, **options: Any) -> DatasetConfig:
    return DatasetConfig(id="ink", instance_data_dir=str(folder), **options)


def found_in(dataset: DatasetConfig, *, geometry: Geometry = SQUARE, number: int = 0) -> Found:
    captions = read_caption_rules(dataset, CONFIG)
    return read_samples(dataset, number=number, geometry=geometry, captions=captions, seed=1)


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
        found_in(dataset_at(tmp_path / "nowhere"))


def test_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(TrainingError, match="has no pictures"):
        found_in(dataset_at(tmp_path))


def captions_at(path: Path, **options: Any) -> tuple[str, ...]:
    return captions_of(picture_at(path), read_caption_rules(dataset_at(path.parent, **options), CONFIG))


def test_excluded_pictures_are_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "b.png", "deep/c.png"):
        Image.new("RGB", (64, 64)).save(tmp_path / name)
    dataset = dataset_at(tmp_path, excluded_images=["a.png", "deep/c.png", "gone.png"])
    found = found_in(dataset)
    assert ([sample.picture.name for sample in found.samples], found.left_out) == (["b.png"], ())
    everything = dataset_at(tmp_path, excluded_images=["a.png", "b.png", "deep/c.png"])
    with pytest.raises(TrainingError, match="all 3 pictures of dataset 'ink' are in excluded_images"):
        found_in(everything)


def test_limit_draws_the_same_pictures_whatever_else_comes(tmp_path: Path) -> None:
    for number in range(40):
        Image.new("RGB", (64, 64)).save(tmp_path / f"{number:02}.png")

    def drawn(name: str = "ink") -> set[str]:
        dataset = DatasetConfig(id=name, instance_data_dir=str(tmp_path), max_num_samples=10)
        return {sample.picture.name for sample in found_in(dataset).samples}

    before = drawn()
    assert len(before) == 10
    assert before != drawn("other")
    (tmp_path / max(before)).unlink()
    (tmp_path / min({f"{number:02}.png" for number in range(40)} - before)).unlink()
    assert len(drawn() & before) == 9


def test_every_line_of_the_text_file_is_a_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa cat\r\n\r\n  a café  \n".encode())
    assert captions_at(tmp_path / "a.png") == ("a cat", "a café")


def test_whole_text_file_can_be_one_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a cat\n\non a mat\n")
    assert captions_at(tmp_path / "a.png", disable_multiline_split=True) == ("a cat\n\non a mat",)


def test_text_file_in_another_encoding_is_read_as_well_as_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("a café".encode("latin-1"))
    assert captions_at(tmp_path / "a.png") == ("a caf\ufffd",)


def test_picture_without_a_text_file_has_no_caption(tmp_path: Path) -> None:
    assert captions_at(tmp_path / "a.png") == ()


def test_empty_text_file_is_no_caption(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(" \n")
    assert captions_at(tmp_path / "a.png") == ()


def test_files_beside_a_picture_count_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png,by the table\n")
    assert captions_at(tmp_path / "a.png") == ()  # a.png is not there, so the table's row means nothing
    (tmp_path / "a.png").touch()
    assert captions_at(tmp_path / "a.png") == ("by the table",)
    (tmp_path / "a.json").write_text('{"width": 3, "caption": ["by JSON", "and more"]}')
    assert captions_at(tmp_path / "a.png") == ("by JSON", "and more")
    (tmp_path / "a.caption").write_text("by .caption")
    assert captions_at(tmp_path / "a.png") == ("by .caption",)
    (tmp_path / "a.txt").write_text("by .txt")
    assert captions_at(tmp_path / "a.png") == ("by .txt",)


@pytest.mark.parametrize("written", ["[1]", "{", '{"text": 5}', "[" * 100_000])
def test_json_that_is_no_caption_is_passed_over(tmp_path: Path, written: str) -> None:
    (tmp_path / "a.json").write_text(written)
    assert captions_at(tmp_path / "a.png") == ()


def test_halves_of_characters_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"caption": "a \\ud800 cat"}')
    assert captions_at(tmp_path / "a.png") == ("a ? cat",)
    assert captions_at(tmp_path / "\udcff.png", caption_strategy="filename") == ("?",)


def test_file_name_is_a_caption(tmp_path: Path) -> None:
    assert captions_at(tmp_path / "a_red__cat-face.png", caption_strategy="filename") == ("a red cat-face",)


def test_filters_are_read_from_a_file(tmp_path: Path) -> None:
    filters = tmp_path / "filters"
    filters.write_text("\ufeffugly\n\ns/dog/cat/\n")
    (tmp_path / "a.txt").write_text("an ugly dog")
    assert captions_at(tmp_path / "a.png", caption_filter_list=str(filters)) == ("an cat",)
    filters.write_text("(?")
    with pytest.raises(
        TrainingError, match=r"dataset 'ink': caption_filter_list has '\(\?', which cannot be understood"
    ):
        captions_at(tmp_path / "a.png", caption_filter_list=str(filters))
    with pytest.raises(TrainingError, match=r"caption_filter_list is /nowhere, which cannot be read \(No such file"):
        captions_at(tmp_path / "a.png", caption_filter_list="/nowhere")


def test_instance_prompt_is_the_caption_of_all(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    options = {"caption_strategy": "instanceprompt", "instance_prompt": "zorp", "caption_dropout_probability": 0.5}
    found = found_in(dataset_at(tmp_path, **options))
    assert [(sample.captions, sample.caption_dropout) for sample in found.samples] == [(("zorp",), 0.5)]


# ---- tables among the pictures


def pictures_at(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64)).save(folder / name)


def captions_by_name(found: Found) -> dict[str, tuple[str, ...]]:
    return {sample.picture.name: sample.captions for sample in found.samples}


def test_table_among_the_pictures_has_their_captions(tmp_path: Path) -> None:
    pictures_at(tmp_path, "a.png", "deep/caf\u00e9.png", "deep/b.png", "c.png")
    outer = [
        {"file_name": "a.png", "text": "a cat"},
        {"file_name": "./deep/b.png", "text": "by the outer table"},
        {"file_name": "c.png", "text": ["one", "two"]},
    ]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, outer)) + "\n\n")
    (tmp_path / "metadata.csv").write_text("file_name,text\na.png,not read beside the other\n")
    inner = 'file_name,caption\n"cafe\u0301.png","black, no sugar"\nb.png,by the inner table\n'
    (tmp_path / "deep" / "metadata.csv").write_text(inner)
    found = found_in(dataset_at(tmp_path))
    assert captions_by_name(found) == {
        "a.png": ("a cat",),
        "c.png": ("one", "two"),
        "deep/b.png": ("by the inner table",),
        "deep/caf\u00e9.png": ("black, no sugar",),
    }
    assert found.left_out == ()


@pytest.mark.parametrize("kind", ["local", "csv"])
def test_links_lead_no_further_than_to_open_folders(tmp_path: Path, kind: str) -> None:
    """By name, and by the name of a folder that is a link, as a table can have it."""
    mine, shared, theirs = (tmp_path / name for name in ("mine", "shared", "theirs"))
    for folder in (mine, shared, theirs):
        pictures_at(folder, "a.png")
        (folder / "a.txt").write_text(folder.name)
    for name, target in (("own", mine), ("open", shared), ("closed", theirs)):
        for ending in (".png", ".txt"):
            (mine / name).with_suffix(ending).symlink_to((target / "a").with_suffix(ending))
    (mine / "folder").symlink_to(theirs)
    (mine / "a.txt").unlink()
    (mine / "a.txt").symlink_to(theirs / "a.txt")
    table = mine / "table.csv"
    table.write_text("url\na.png\nclosed.png\nfolder/a.png\nopen.png\nown.png\n")
    csv: dict[str, Any] = {"type": "csv", "csv_file": str(table), "csv_cache_dir": str(tmp_path / "downloads")}
    local: dict[str, Any] = {"instance_data_dir": str(mine)}
    dataset = DatasetConfig(id="ink", **(local if kind == "local" else csv))

    def found(open_folders: list[Path] | None) -> Found:
        captions = read_caption_rules(dataset, CONFIG)
        return read_samples(dataset, number=0, geometry=SQUARE, captions=captions, seed=1, open_folders=open_folders)

    served = found([shared])
    assert captions_by_name(served) == {"a.png": ("",), "open.png": ("shared",), "own.png": ("",)}
    names = ["closed.png"] + (["folder/a.png"] if kind == "csv" else [])
    assert [each for each in served.left_out if LEADS_OUTSIDE in each] == [
        f"{mine}/{name} cannot be read as a picture: {LEADS_OUTSIDE}" for name in names
    ]
    assert captions_by_name(found(None))["closed.png"] == ("theirs",)


def test_table_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    pictures_at(tmp_path / "mine", "a.png")
    (tmp_path / "theirs.csv").write_text("file_name,text\na.png,a secret\n")
    (tmp_path / "mine" / "metadata.csv").symlink_to(tmp_path / "theirs.csv")
    assert captions_by_name(found_in(dataset_at(tmp_path / "mine"))) == {"a.png": ("",)}


def test_rows_that_name_no_picture_of_the_folder_are_named(tmp_path: Path) -> None:
    pictures_at(tmp_path, "in/a.png", "b.png")
    rows = ["../b.png", str(tmp_path / "b.png"), "c.png", "", "x/../../b.png"]
    table = tmp_path / "in" / "metadata.jsonl"
    table.write_text("\n".join(json.dumps({"file_name": name, "text": "mine"}) for name in rows))
    found = found_in(dataset_at(tmp_path))
    assert captions_by_name(found) == {"b.png": ("",), "in/a.png": ("",)}
    assert [each.split(": ", 1)[1] for each in found.left_out] == [
        "'../b.png' is no place in its folder",
        f"'{tmp_path}/b.png' is no place in its folder",
        "'c.png' is not there",
        "'' is no place in its folder",
        "'x/../../b.png' is no place in its folder",
    ]


@pytest.mark.parametrize(
    ("name", "written", "reason"),
    [
        ("metadata.jsonl", '{"file_name": "a.png"}\n{', r"row 2 of .*metadata\.jsonl is no JSON: "),
        ("metadata.jsonl", "[]", r"row 1 of .*metadata\.jsonl is no JSON object"),
        (
            "metadata.csv",
            'file_name,text\na.png,"never closed',
            r"metadata\.csv is no table with commas that can be read",
        ),
    ],
)
def test_broken_table_is_named(tmp_path: Path, name: str, written: str, reason: str) -> None:
    pictures_at(tmp_path, "a.png")
    (tmp_path / name).write_text(written)
    with pytest.raises(TrainingError, match=reason):
        found_in(dataset_at(tmp_path))


# ---- sizes and cuts


def test_pictures_are_placed_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    sizes = {"a.png": (64, 64), "b.png": (200, 100), "small.png": (63, 500), "thin.png": (10_000, 1), "z.png": (80, 90)}
    for name, size in sizes.items():
        Image.new("RGB", size).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"nonsense")
    found = found_in(dataset_at(tmp_path), number=3)
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
    before = {s.picture.name: s.placement for s in found_in(dataset_at(tmp_path), geometry=geometry).samples}
    assert len(set(before.values())) == 2
    Image.new("RGB", (1000, 64)).save(tmp_path / "a.png")
    after = {s.picture.name: s.placement for s in found_in(dataset_at(tmp_path), geometry=geometry).samples}
    assert before.items() < after.items()


def test_folder_with_nothing_to_use_says_why(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(
        TrainingError, match=r"none of the 1 pictures of dataset 'ink' can be used; .*a\.png is 8×8, too small"
    ):
        found_in(dataset_at(tmp_path))


# ---- libraries that not everybody has


@pytest.mark.parametrize(
    ("library", "module", "entry"),
    [
        ("datasets", "hub_dataset", {"type": "huggingface", "dataset_name": "owner/name"}),
        ("obstore", "bucket", {"type": "aws", "aws_bucket_name": "pictures"}),
        ("pyarrow", "tables", {"parquet": {"path": "TABLE", "filename_column": "name"}}),
    ],
)
def test_missing_library_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library: str, module: str, entry: dict[str, Any]
) -> None:
    table = tmp_path / "table.parquet"
    table.touch()
    if "parquet" in entry:
        entry = {"parquet": {**entry["parquet"], "path": str(table)}}
    pictures_at(tmp_path, "a.png")
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"trainer.data.sources.{module}", raising=False)
    with pytest.raises(TrainingError, match=rf"{library}.*; install simpletuner\[data\]"):
        found_in(dataset_at(tmp_path, **entry))
