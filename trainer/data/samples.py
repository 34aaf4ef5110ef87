"""What of a dataset is trained on: each picture or video with its captions, its size and its cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.config.buckets import Geometry, LeftOut, Placement, chosen_names, picture_seed, place
from domain.config.captions import CaptionRules
from domain.config.dataset import DatasetConfig
from trainer.data.captions import NO_CAPTION, captions_of
from trainer.data.pictures import UnreadablePicture
from trainer.data.reading import measure
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture, Source
from trainer.errors import TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture or video with the captions it may be shown with, and its size and cut. dataset: its place.

    caption_dropout: how often it is shown without any. mask: where the loss counts, see trainer/data/masks.py.
    """

    picture: Picture
    captions: tuple[str, ...]
    caption_dropout: float
    placement: Placement
    dataset: int
    mask: Picture | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a dataset holds. left_out: what is not trained on, each with its name and the reason."""

    samples: tuple[Sample, ...]
    left_out: tuple[str, ...]


def read_samples(
    dataset: DatasetConfig,
    *,
    number: int,
    geometry: Geometry,
    captions: CaptionRules,
    seed: int,
    open_folders: Sequence[Path] | None = None,
) -> Found:
    """number: the dataset's place. open_folders: see source_of.

    Raises TrainingError when its source is missing or holds nothing to train on.
    """
    source = source_of(dataset, open_folders=open_folders)
    excluded = frozenset(dataset.excluded_images or ())
    samples, left_out = [], []
    num_excluded = 0
    for picture in source.pictures():
        if picture.name in excluded:
            num_excluded += 1
            continue
        placed = _place(picture, geometry, seed=picture_seed(seed, dataset=dataset.id, name=picture.name))
        if isinstance(placed, Placement):
            samples.append(
                Sample(
                    picture=picture,
                    captions=captions_of(picture, captions) or (NO_CAPTION,),
                    caption_dropout=captions.dropout,
                    placement=placed,
                    dataset=number,
                )
            )
        else:
            left_out.append(placed)
    if not samples:
        if num_excluded and not left_out:
            raise TrainingError(
                f"all {num_excluded} {dataset.contents} of dataset {dataset.id!r} are in excluded_images; take some out of it"
            )
        raise TrainingError(nothing_left(dataset, left_out) if left_out else _nothing_found(dataset, source))
    left_out += source.left_out()
    if dataset.max_num_samples is not None:
        names = (sample.picture.name for sample in samples)
        chosen = chosen_names(names, dataset=dataset.id, limit=dataset.max_num_samples)
        samples = [sample for sample in samples if sample.picture.name in chosen]
    return Found(tuple(samples), tuple(left_out))


def _nothing_found(dataset: DatasetConfig, source: Source) -> str:
    reasons = source.left_out()
    if reasons:
        return f"dataset {dataset.id!r} has no {dataset.contents}: {len(reasons)} are left out; first: {reasons[0]}"
    endings = ", ".join(sorted(dataset.endings))
    return f"{source} of dataset {dataset.id!r} has no {dataset.contents} ({endings}); put some there"


def nothing_left(dataset: DatasetConfig, left_out: Sequence[str]) -> str:
    return f"none of the {len(left_out)} {dataset.contents} of dataset {dataset.id!r} can be used; first: {left_out[0]}"


def _place(picture: Picture, geometry: Geometry, *, seed: int) -> Placement | str:
    """Why it is left out, where it is."""
    try:
        size, num_frames = measure(picture, geometry)
        placed = place(geometry, size, seed=seed, num_frames=num_frames)
    except UnreadablePicture as error:
        return str(error)
    return f"{picture} {placed.message}" if isinstance(placed, LeftOut) else placed
