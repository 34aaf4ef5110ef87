"""What of a dataset is trained on: each picture or video with its captions, its size and its cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.config.buckets import Geometry, LeftOut, Placement, chosen_names, picture_seed, place
from domain.config.captions import CaptionRules
from domain.config.dataset import DatasetConfig
from trainer.data.captions import NO_CAPTION, captions_of
from trainer.data.measurements import Measurements
from trainer.data.pictures import UnreadablePicture
from trainer.data.reading import measure
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture, Source
from trainer.errors import TrainingError
from trainer.journal import Journal, SilentJournal, phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture or video with the captions it may be shown with, and its size and cut. dataset: its place.

    caption_dropout: how often it is shown without any. mask: where the loss counts, see trainer/data/masks.py. frame_rate: of
    a video's file.
    """

    picture: Picture
    captions: tuple[str, ...]
    caption_dropout: float
    placement: Placement
    dataset: int
    mask: Picture | None = None
    frame_rate: float | None = None


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
    measurements: Measurements | None = None,
    open_folders: Sequence[Path] | None = None,
    journal: Journal | None = None,
) -> Found:
    """number: the dataset's place. measurements: of videos that were seen before. open_folders: see source_of.
    journal: where counting frames is told.

    Raises TrainingError when its source is missing or holds nothing to train on.
    """
    source = source_of(dataset, open_folders=open_folders)
    measurements = measurements or Measurements(None)
    excluded = frozenset(dataset.excluded_images or ())
    samples, left_out = [], []
    num_excluded = 0
    pictures = source.pictures()
    if geometry.clips is not None:
        pictures = _told(list(pictures), journal or SilentJournal())
    for picture in pictures:
        if picture.name in excluded:
            num_excluded += 1
            continue
        try:
            extent = measure(picture, geometry, measurements)
        except UnreadablePicture as error:
            left_out.append(str(error))
            continue
        drawn = picture_seed(seed, dataset=dataset.id, name=picture.name)
        placed = place(geometry, extent.size, seed=drawn, num_frames=extent.num_frames)
        if isinstance(placed, LeftOut):
            left_out.append(f"{picture} {placed.message}")
            continue
        samples.append(
            Sample(
                picture=picture,
                captions=captions_of(picture, captions) or (NO_CAPTION,),
                caption_dropout=captions.dropout,
                placement=placed,
                dataset=number,
                frame_rate=extent.frame_rate,
            )
        )
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


def _told(videos: Sequence[Picture], journal: Journal) -> Iterator[Picture]:
    """Each of them, with its frames counted before the next is given."""
    with phase(journal, "count_frames", total=len(videos)) as progress:
        for video in videos:
            yield video
            progress.advance()


def _nothing_found(dataset: DatasetConfig, source: Source) -> str:
    reasons = source.left_out()
    if reasons:
        return f"dataset {dataset.id!r} has no {dataset.contents}: {len(reasons)} are left out; first: {reasons[0]}"
    endings = ", ".join(sorted(dataset.endings))
    return f"{source} of dataset {dataset.id!r} has no {dataset.contents} ({endings}); put some there"


def nothing_left(dataset: DatasetConfig, left_out: Sequence[str]) -> str:
    return f"none of the {len(left_out)} {dataset.contents} of dataset {dataset.id!r} can be used; first: {left_out[0]}"
