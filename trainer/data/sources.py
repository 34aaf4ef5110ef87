"""Where pictures come from: folders on this machine."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.config.buckets import Geometry, LeftOut, Placement, picture_seed, place
from domain.config.dataset import PICTURE_ENDINGS, DatasetConfig, is_picture
from trainer.data.captions import NO_CAPTION, captions_of
from trainer.data.pictures import UnreadablePicture, size_of
from trainer.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture with the captions it may be shown with, and its size and cut. dataset: its place."""

    path: Path
    captions: tuple[str, ...]
    placement: Placement
    dataset: int


def list_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder and those below it, ordered by name; hidden files and folders do not count."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in files if is_picture(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds. left_out: what is not trained on, each with its name and the reason."""

    samples: tuple[Sample, ...]
    left_out: tuple[str, ...]


def read_samples(dataset: DatasetConfig, *, number: int, geometry: Geometry, seed: int) -> Found:
    """number: the dataset's place. Raises TrainingError when the folder is missing or holds nothing to train on."""
    folder = Path(dataset.instance_data_dir)
    if not folder.is_dir():
        raise TrainingError(
            f"the folder {folder} of dataset {dataset.id!r} does not exist; correct its instance_data_dir"
        )
    pictures = list_pictures(folder)
    if not pictures:
        endings = ", ".join(sorted(PICTURE_ENDINGS))
        raise TrainingError(
            f"the folder {folder} of dataset {dataset.id!r} has no pictures ({endings}); put some there"
        )
    samples, left_out = [], []
    for path in pictures:
        name = path.relative_to(folder).as_posix()
        placed = _place(path, geometry, seed=picture_seed(seed, dataset=dataset.id, name=name))
        if isinstance(placed, Placement):
            captions = captions_of(path, dataset) or (NO_CAPTION,)
            samples.append(Sample(path=path, captions=captions, placement=placed, dataset=number))
        else:
            left_out.append(placed)
    if not samples:
        raise TrainingError(nothing_left(dataset, left_out))
    return Found(tuple(samples), tuple(left_out))


def nothing_left(dataset: DatasetConfig, left_out: Sequence[str]) -> str:
    return (
        f"none of the {len(left_out)} pictures of dataset {dataset.id!r} in {dataset.instance_data_dir} "
        f"can be used; first: {left_out[0]}"
    )


def _place(path: Path, geometry: Geometry, *, seed: int) -> Placement | str:
    """Why it is left out, where it is."""
    try:
        placed = place(geometry, size_of(path), seed=seed)
    except UnreadablePicture as error:
        return str(error)
    return f"{path} {placed.message}" if isinstance(placed, LeftOut) else placed
