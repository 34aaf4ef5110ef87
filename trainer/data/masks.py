"""A mask for each picture: the picture of the same name in a dataset of masks."""

from collections.abc import Mapping
from dataclasses import replace

from domain.config.buckets import Size
from domain.config.dataset import DatasetConfig
from domain.config.roles import paired_name
from trainer.data.pictures import UnreadablePicture, size_of
from trainer.data.samples import Found, Sample
from trainer.data.sources.registry import source_of
from trainer.data.sources.source import Picture


def with_masks(found: Found, masks: DatasetConfig) -> Found:
    """Each sample with its mask, which read_picture cuts and scales exactly as the picture by the sample's placement.

    Names agree from the datasets' folders on, whatever their endings. A picture without a mask, or with one of another
    size, is left out. Raises TrainingError when there is no such place.
    """
    known = {paired_name(picture.name): picture for picture in source_of(masks).pictures()}
    samples, left_out = [], list(found.left_out)
    for sample in found.samples:
        mask = _mask_of(sample, known, dataset=masks.id)
        if isinstance(mask, Picture):
            samples.append(replace(sample, mask=mask))
        else:
            left_out.append(mask)
    return Found(tuple(samples), tuple(left_out))


def _mask_of(sample: Sample, known: Mapping[str, Picture], *, dataset: str) -> Picture | str:
    """Why there is none, where there is none."""
    mask = known.get(paired_name(sample.picture.name))
    if mask is None:
        return f"{sample.picture} has no mask of its name in dataset {dataset!r}"
    try:
        size = mask.size or size_of(mask)
    except UnreadablePicture as error:
        return f"{sample.picture} has no mask: {error}"
    return mask if size == sample.placement.original else _too_different(sample, mask, size)


def _too_different(sample: Sample, mask: Picture, size: Size) -> str:
    return f"{sample.picture} is {sample.placement.original} and its mask {mask} is {size}; make them the same size"
