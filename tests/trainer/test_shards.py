"""Tar archives that are read in place: on disk and in a bucket."""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.config.buckets import Geometry
from domain.config.checks import check_dataset
from domain.config.training import TrainingConfig
from tests.providers.bucket import KEY, NAME, RunningBucket, running_bucket
from trainer.data.captions import read_caption_rules
from trainer.data.pictures import read_picture
from trainer.data.samples import Found, read_samples
from trainer.data.sources.links import LEADS_OUTSIDE
from trainer.errors import TrainingError

CONFIG = TrainingConfig(model_family="sd1x")


def picture(color: str = "red", size: tuple[int, int] = (64, 64)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, color).save(file, "png")
    return file.getvalue()


def archive(members: Mapping[str, bytes], *, mode: str = "w") -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as made:  # type: ignore[call-overload]
        for name, content in members.items():
            made.addfile(_member(name, size=len(content)), BytesIO(content))
    return file.getvalue()


def _member(name: str, **facts: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(made, key, value)
    return made


def found_in(source: str | Path, *, open_folders: Sequence[Path] | None = None, **options: Any) -> Found:
    written = {"id": "ink", "type": "webshart", "source": str(source), "caption_strategy": "webshart", **options}
    dataset = check_dataset(written)
    geometry = Geometry(resolution=64, alignment=8)
    captions = read_caption_rules(dataset, CONFIG)
    return read_samples(dataset, number=0, geometry=geometry, captions=captions, seed=1, open_folders=open_folders)


def captions_by_name(found: Found) -> dict[str, tuple[str, ...]]:
    return {sample.picture.name: sample.captions for sample in found.samples}


FIRST = {
    "000.png": picture(),
    "000.txt": b"a cat\na tabby",
    "deep/001.photo.png": picture("blue", (80, 64)),
    "deep/001.json": b'{"caption": "a dog"}',
    "deep/001.cls": b"7",
    "./002.png": picture("green"),
    "002.caption": b"a bird",
}
SECOND = {"000.png": picture("white"), "000.txt": b"another cat", "long/" * 30 + "x.png": picture()}
EXPECTED = {
    "a.tar/000.png": ("a cat", "a tabby"),
    "a.tar/002.png": ("a bird",),
    "a.tar/deep/001.photo.png": ("a dog",),
    "b.tar/000.png": ("another cat",),
    "b.tar/" + "long/" * 30 + "x.png": ("",),
}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBucket]:
    with running_bucket(tmp_path_factory.mktemp("bucket")) as bucket:
        yield bucket


def test_archives_of_a_folder_are_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(archive(FIRST))
    (tmp_path / "b.tar").write_bytes(archive(SECOND))
    (tmp_path / "c.zip").touch()
    found = found_in(tmp_path)
    assert captions_by_name(found) == EXPECTED
    assert found.left_out == ()
    for sample, content in zip(found.samples[:2], (FIRST["000.png"], FIRST["./002.png"]), strict=True):
        with sample.picture.open() as file:
            assert file.read() == content
    assert str(found.samples[0].picture) == f"{tmp_path}/a.tar/000.png"
    assert captions_by_name(found_in(tmp_path / "b.tar")).keys() == {name for name in EXPECTED if name[0] == "b"}
    assert captions_by_name(found_in(tmp_path / "[ab]*.tar")) == EXPECTED


def test_archives_of_a_bucket_are_read_in_place(bucket: RunningBucket) -> None:
    bucket.put("shards/a.tar", archive(FIRST))
    bucket.put("shards/b.tar", archive(SECOND))
    keys: dict[str, Any] = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "aws_endpoint_url": bucket.address}
    found = found_in(f"s3://{NAME}/shards", **keys)
    assert captions_by_name(found) == EXPECTED
    for sample in found.samples:
        assert read_picture(sample.picture, sample.placement).size == sample.placement.target
    with pytest.raises(TrainingError, match=rf"source is s3://{NAME}/none, where there is no \.tar archive"):
        found_in(f"s3://{NAME}/none", **keys)


def test_hostile_members_are_named_and_the_others_read(tmp_path: Path) -> None:
    content = picture()
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        for name in ("../out.png", "/etc/out.png", "a/../../out.png", "twice.png", "good.png", "twice.png"):
            made.addfile(_member(name, size=len(content)), BytesIO(content))
        made.addfile(_member("link.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"))
        made.addfile(_member("pipe.png", type=tarfile.FIFOTYPE))
        made.addfile(_member("folder.png", type=tarfile.DIRTYPE))
    place = tmp_path / "a.tar"
    place.write_bytes(file.getvalue())
    found = found_in(tmp_path)
    assert list(captions_by_name(found)) == ["a.tar/good.png", "a.tar/twice.png"]
    assert list(found.left_out) == [
        f"'../out.png' in {place} is no place in an archive",
        f"'/etc/out.png' in {place} is no place in an archive",
        f"'a/../../out.png' in {place} is no place in an archive",
        f"'twice.png' in {place} is there more than once",
        f"'link.png' in {place} is no plain file",
        f"'pipe.png' in {place} is no plain file",
    ]


def test_broken_archives_are_named_and_what_is_whole_is_read(tmp_path: Path) -> None:
    whole = archive({"0.png": picture(), "1.png": picture("blue")})
    second = whole.index(b"1.png")
    (tmp_path / "cut.tar").write_bytes(whole[: second + tarfile.BLOCKSIZE + 10])
    (tmp_path / "damaged.tar").write_bytes(whole[:second] + b"\xff" * 10 + whole[second + 10 :])
    (tmp_path / "gz.tar").write_bytes(archive({"0.png": picture()}, mode="w:gz"))
    (tmp_path / "none.tar").write_bytes(b"nonsense" * 200)
    found = found_in(tmp_path)
    assert list(captions_by_name(found)) == ["cut.tar/0.png", "damaged.tar/0.png"]
    assert list(found.left_out) == [
        f"'1.png' in {tmp_path}/cut.tar is cut short",
        f"{tmp_path}/cut.tar is not whole or no .tar archive: unexpected end of data",
        f"{tmp_path}/damaged.tar is damaged from byte {second} on; what comes behind that is lost",
        f"{tmp_path}/gz.tar is not whole or no .tar archive: truncated header",
        f"{tmp_path}/none.tar is not whole or no .tar archive: invalid header",
    ]


@pytest.mark.parametrize("name", ["", "a.tar", "*.tar"])
def test_place_without_archives_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        TrainingError, match=r"dataset 'ink': source is .*, where there is no \.tar archive; correct it"
    ):
        found_in(tmp_path / name)


def test_archive_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(archive({"a.txt": b"alone"}))
    with pytest.raises(TrainingError, match=f"{tmp_path} of dataset 'ink' has no pictures"):
        found_in(tmp_path)


def test_archive_behind_a_link_is_read_where_it_is_named_or_in_an_open_folder(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    for each in (folder, elsewhere):
        each.mkdir()
        (each / "a.tar").write_bytes(archive({"000.png": picture()}))
    (folder / "b.tar").symlink_to(elsewhere / "a.tar")
    closed = found_in(folder, open_folders=[])
    assert list(captions_by_name(closed)) == ["a.tar/000.png"]
    assert closed.left_out == (f"{folder}/b.tar is not whole or no .tar archive: {LEADS_OUTSIDE}",)
    opened = (found_in(folder, open_folders=[elsewhere]), found_in(folder))
    assert [list(captions_by_name(found)) for found in opened] == [["a.tar/000.png", "b.tar/000.png"]] * 2
    assert list(captions_by_name(found_in(folder / "b.tar", open_folders=[]))) == ["b.tar/000.png"]
