"""What of a dataset is trained on: each picture with its captions, its size and its cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.config.buckets import Geometry, LeftOut, Placement, picture_seed, place
from domain.config.dataset import PICTURE_ENDINGS, DatasetConfig
from trainer.data.captions import NO_CAPTION, captions_of
from trainer.data.pictures import UnreadablePicture, size_of
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture with the captions it may be shown with, and its size and cut. dataset: its place."""

    picture: Picture
    captions: tuple[str, ...]
    placement: Placement
    dataset: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a dataset holds. left_out: what is not trained on, each with its name and the reason."""

    samples: tuple[Sample, ...]
    left_out: tuple[str, ...]


def read_samples(dataset: DatasetConfig, *, number: int, geometry: Geometry, seed: int) -> Found:
    """number: the dataset's place. Raises TrainingError when its source is missing or holds nothing to train on."""
    source = source_of(dataset)
    pictures = list(source.pictures())
    if not pictures:
        endings = ", ".join(sorted(PICTURE_ENDINGS))
        raise TrainingError(
            f"the folder {dataset.instance_data_dir} of dataset {dataset.id!r} has no pictures ({endings}); "
            "put some there"
        )
    excluded = frozenset(dataset.excluded_images or ())
    if all(picture.name in excluded for picture in pictures):
        raise TrainingError(
            f"all {len(pictures)} pictures of dataset {dataset.id!r} are in excluded_images; take some out of it"
        )
    samples, left_out = [], []
    for picture in pictures:
        if picture.name in excluded:
            continue
        placed = _place(picture, geometry, seed=picture_seed(seed, dataset=dataset.id, name=picture.name))
        if isinstance(placed, Placement):
            captions = captions_of(picture, dataset) or (NO_CAPTION,)
            samples.append(Sample(picture=picture, captions=captions, placement=placed, dataset=number))
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


def _place(picture: Picture, geometry: Geometry, *, seed: int) -> Placement | str:
    """Why it is left out, where it is."""
    try:
        placed = place(geometry, picture.size or size_of(picture), seed=seed)
    except UnreadablePicture as error:
        return str(error)
    return f"{picture} {placed.message}" if isinstance(placed, LeftOut) else placed
