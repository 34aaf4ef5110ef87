"""Whole runs on pictures of several shapes, each in this process."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.runs import MakeRun, RunDirectory, write_run
from trainer.wire import Planned

TrainHere = Callable[[RunDirectory], int]

SHAPES = [(64, 64), (192, 96), (96, 192), (200, 100), (100, 200), (301, 150), (128, 65), (77, 80)]


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder with coloured noise in many shapes."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    draw = random.Random(3)
    for number, size in enumerate(SHAPES):
        blocks = Image.frombytes("RGB", (8, 8), draw.randbytes(192))
        blocks.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"thing {number}")
    return folder


def test_square_crops_are_the_centred_squares_they_have_always_been(
    make_run: MakeRun, shapes: Path, train_here: TrainHere, tmp_path: Path
) -> None:
    squares = tmp_path / "squares"
    squares.mkdir()
    for path in shapes.glob("*.png"):
        picture = Image.open(path)
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        square.resize((64, 64), Image.Resampling.LANCZOS).save(squares / path.name)
        (squares / path.name).with_suffix(".txt").write_text(path.with_suffix(".txt").read_text())
    cut_here = write_run(tmp_path / "cut_here", folder=shapes, max_train_steps=4)
    cut_before = write_run(tmp_path / "cut_before", folder=squares, max_train_steps=4)
    assert (train_here(cut_here), train_here(cut_before)) == (0, 0)
    assert cut_here.losses() == cut_before.losses()


def test_buckets_of_several_sizes_train_and_resume_exactly(shapes: Path, train_here: TrainHere, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "folder": shapes,
        "dataset": {"crop_aspect": "preserve", "crop_style": "random"},
        "aspect_bucket_rounding": 1,
        "allow_dataset_oversubscription": True,
        "train_batch_size": 3,
        "checkpoint_step_interval": 3,
    }
    whole = write_run(tmp_path / "whole", max_train_steps=7, **options)
    assert train_here(whole) == 0
    (planned,) = whole.of(Planned)
    assert (planned.num_images, planned.steps_per_epoch) == (8, 4)
    parted = write_run(tmp_path / "parted", max_train_steps=4, **options)
    assert train_here(parted) == 0
    assert train_here(write_run(parted.path, max_train_steps=7, resume=True, **options)) == 0
    assert parted.losses() == whole.losses()


def test_bucket_that_cannot_fill_a_batch_is_named(
    make_run: MakeRun, shapes: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(folder=shapes, dataset={"crop": False}, train_batch_size=4)
    assert train_here(run) == 1
    assert (
        "the 48×88 bucket of dataset 'ink' has 2 pictures with repeats 0, too few for an effective batch of 4; "
        "set its repeats to at least 1"
    ) in capfd.readouterr().err
