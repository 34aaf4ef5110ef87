"""Encodes captions and pictures into the cache before the first step, each process its share."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from domain.config.buckets import Placement
from trainer.data.cache import EncodingCache, digest_of_file, key_of
from trainer.data.pictures import UnreadablePicture, read_picture
from trainer.data.samples import Sample
from trainer.families.family import ModelFamily
from trainer.inbox import Inbox
from trainer.journal import Journal, phase

ENCODING_FORMAT = 2
"""Raised whenever this code would encode the same input differently."""

CAPTIONS_AT_ONCE = 32

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which part of the work is this process's own."""

    process_index: int
    num_processes: int

    def of(self, chunks: Iterable[list[Item]]) -> Iterator[list[Item]]:
        return islice(chunks, self.process_index, None, self.num_processes)


def encode_captions(
    family: ModelFamily, captions: Iterable[str], cache: EncodingCache, *, share: Share, journal: Journal, inbox: Inbox
) -> dict[str, str]:
    """The cache key of each caption. Ends early when a stop is asked for."""
    keys = {caption: _text_key(family, caption) for caption in captions}
    with phase(journal, "encode_captions", total=len(keys)) as progress:
        for chunk in share.of(_chunks(list(keys), CAPTIONS_AT_ONCE)):
            if inbox.wants_stop():
                break
            if not all(cache.has(keys[caption]) for caption in chunk):
                for caption, embeds in zip(chunk, family.encode_captions(chunk), strict=True):
                    cache.write(keys[caption], embeds)
            progress.advance(len(chunk) * share.num_processes)
    return keys


def encode_pictures(
    family: ModelFamily,
    samples: Sequence[Sample],
    cache: EncodingCache,
    *,
    batch_size: int,
    share: Share,
    journal: Journal,
    inbox: Inbox,
) -> dict[Sample, str]:
    """The cache key of each picture; one that cannot be read has a key that the cache does not have.

    Whole chunks are encoded or none of it, so that an encoding never depends on what an earlier start had finished.
    """
    keys = {sample: _latents_key(family, sample) for sample in samples}
    with phase(journal, "encode_images", total=len(keys)) as progress:
        for chunk in share.of(_chunks_by_size(samples, batch_size)):
            if inbox.wants_stop():
                break
            if not all(cache.has(keys[sample]) for sample in chunk):
                _encode_chunk(family, chunk, cache, keys)
            progress.advance(len(chunk) * share.num_processes)
    return keys


def why_unreadable(sample: Sample) -> str:
    try:
        read_picture(sample.picture, sample.placement)
    except UnreadablePicture as error:
        return str(error)
    return f"{sample.picture} could not be encoded"


def to_pixels(picture: Image.Image) -> Tensor:
    """(3, height, width) from -1 to 1."""
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.view(picture.height, picture.width, 3).permute(2, 0, 1).float() / 127.5 - 1


def geometry_of(placement: Placement) -> Tensor:
    """Where a picture that is trained on comes from, as SDXL is told it (Podell et al. 2023, arXiv:2307.01952).

    (6,): height and width of the upright picture, top and left of the cut in the picture scaled to cover it, height and
    width of the cut; all in pixels.
    """
    original, target = placement.original, placement.target
    cut = (placement.crop_top, placement.crop_left)
    return torch.tensor([original.height, original.width, *cut, target.height, target.width], dtype=torch.float32)


def _encode_chunk(family: ModelFamily, chunk: Sequence[Sample], cache: EncodingCache, keys: dict[Sample, str]) -> None:
    pictures = {}
    for sample in chunk:
        try:
            pictures[sample] = read_picture(sample.picture, sample.placement)
        except UnreadablePicture:
            continue
    if not pictures:
        return
    encoded = family.encode_pictures(torch.stack([to_pixels(picture) for picture in pictures.values()]))
    for sample, latents in zip(pictures, encoded, strict=True):
        cache.write(keys[sample], {"latents": latents, "geometry": geometry_of(sample.placement)})


def _text_key(family: ModelFamily, caption: str) -> str:
    return key_of(kind="text", format=ENCODING_FORMAT, encoder=family.text_identity, caption=caption)


def _latents_key(family: ModelFamily, sample: Sample) -> str:
    try:
        with sample.picture.open() as file:
            picture = digest_of_file(file)
    except OSError:
        picture = "unreadable"
    return key_of(
        kind="latents",
        format=ENCODING_FORMAT,
        encoder=family.latents_identity,
        picture=picture,
        region=str(tuple(sample.placement.region)),
        size=str(tuple(sample.placement.target)),
    )


def _chunks(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))


def _chunks_by_size(samples: Sequence[Sample], size: int) -> Iterator[list[Sample]]:
    for target in sorted({sample.placement.target for sample in samples}):
        yield from _chunks([sample for sample in samples if sample.placement.target == target], size)
