"""Sizes of pictures are read once and remembered, on both databases, whoever else looks at the same moment."""

import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from PIL import Image

from domain.config.buckets import Geometry, Placement, Size, picture_seed, place
from domain.config.captions import CaptionRules
from domain.config.checks import check_dataset
from service.database import Database
from service.preflight import known_sizes  # noqa: F401  its table belongs to the metadata
from service.preflight.pictures import Folder, look_at
from service.scans.maker import PictureMaker

NUM_LOOKING = 6


def look(database: Database, folder: Path, *, seconds: float = 60) -> Folder:
    dataset = check_dataset({"id": "pictures", "instance_data_dir": str(folder)})
    captions = CaptionRules(strategy="textfile")
    until = time.monotonic() + seconds
    return look_at(
        database,
        dataset,
        Geometry(resolution=64),
        captions=captions,
        seed=1,
        until=until,
        open_folders=(),
        maker=PictureMaker(environment={}),
    )


def save(folder: Path, names: Sequence[str], *, edge: int = 64) -> None:
    for name in names:
        Image.new("RGB", (edge, edge)).save(folder / name)


def test_several_look_at_one_folder_at_once(database: Database, tmp_path: Path) -> None:
    save(tmp_path, [f"{number}.png" for number in range(100)])
    begin = Barrier(NUM_LOOKING)

    def begin_together(_: int) -> int:
        begin.wait()
        return look(database, tmp_path).buckets.total()

    with ThreadPoolExecutor(NUM_LOOKING) as pool:
        assert list(pool.map(begin_together, range(NUM_LOOKING))) == [100] * NUM_LOOKING


def test_known_sizes_need_no_time_and_changed_pictures_are_read_again(database: Database, tmp_path: Path) -> None:
    save(tmp_path, ["a.png", "b.png"])
    assert look(database, tmp_path, seconds=-1).num_unknown == 2
    assert look(database, tmp_path).num_left_out == 0
    assert look(database, tmp_path, seconds=-1).num_unknown == 0
    save(tmp_path, ["b.png"], edge=8)
    assert look(database, tmp_path, seconds=-1).num_unknown == 1
    assert look(database, tmp_path).left_out == ["b.png is 8×8, too small for 64×64 without enlarging it"]


def test_what_is_no_file_or_no_picture_is_unreadable(database: Database, tmp_path: Path) -> None:
    save(tmp_path, ["good.png"])
    os.mkfifo(tmp_path / "a pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"no picture")
    Image.new("RGB", (64, 64)).save(tmp_path / "of a kind that nobody trains on.png", "PPM")
    found = look(database, tmp_path)
    assert (found.num_images, found.num_unreadable, found.buckets.total()) == (5, 4, 1)


def test_link_out_of_the_open_folders_is_not_read(database: Database, tmp_path: Path) -> None:
    for name in ("pictures", "elsewhere"):
        (tmp_path / name).mkdir()
        save(tmp_path / name, ["a.png"])
    (tmp_path / "pictures" / "b.png").symlink_to(tmp_path / "pictures" / "a.png")
    (tmp_path / "pictures" / "c.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    found = look(database, tmp_path / "pictures")
    assert found.unreadable == ["c.png (a link that leads out of the folders that are open)"]
    assert found.buckets.total() == 2


def test_pictures_of_one_size_come_to_different_places_when_those_are_drawn(database: Database, tmp_path: Path) -> None:
    save(tmp_path, [f"{number}.png" for number in range(40)], edge=512)
    dataset = check_dataset({"id": "pictures", "instance_data_dir": f"{tmp_path}/"})
    drawn = Geometry(resolution=256, crop=True, crop_aspect="random", crop_aspects=((1.0, 1.0), (2.0, 1.0)))
    found = look_at(
        database,
        dataset,
        drawn,
        captions=CaptionRules(strategy="textfile"),
        seed=1,
        until=time.monotonic() + 60,
        open_folders=(),
        maker=PictureMaker(environment={}),
    )
    expected = Counter(
        placed.shape
        for number in range(40)
        if isinstance(
            placed := place(drawn, Size(512, 512), seed=picture_seed(1, dataset="pictures", name=f"{number}.png")),
            Placement,
        )
    )
    assert found.buckets == expected
    assert len(expected) == 2


def test_pictures_are_named_from_their_folder_and_links_to_folders_are_not_followed(
    database: Database, tmp_path: Path
) -> None:
    root = tmp_path / "pictures"
    for folder in ("a/b", ".hidden"):
        (root / folder).mkdir(parents=True)
        save(root / folder, ["small.png"], edge=8)
    (root / "a/loop").symlink_to(root)
    (root / "a/b/small.txt").write_text("a picture")
    found = look(database, root)
    assert (found.num_images, found.num_uncaptioned) == (1, 0)
    assert found.left_out == ["a/b/small.png is 8×8, too small for 64×64 without enlarging it"]
