"""What is trained on, read from its file: a picture, or where the placement says which frames, a clip of a video."""

from typing import BinaryIO

from PIL import Image

from domain.config.buckets import Geometry, Placement, Size
from trainer.data.pictures import decode, read_picture, size_of
from trainer.data.sources.source import Picture
from trainer.data.videos import Clip, check_clip, measure_video, read_clip

Seen = Image.Image | Clip
"""A picture or the frames of a clip, upright, cut and scaled."""


def measure(picture: Picture, geometry: Geometry) -> tuple[Size, int]:
    """Of the upright picture or video, and how many frames there are. Raises UnreadablePicture."""
    if geometry.clips is None:
        return picture.size or size_of(picture), 1
    measured = measure_video(picture)
    return measured.size, measured.num_frames


def read(picture: Picture, placement: Placement, *, digest: str | None = None) -> Seen:
    """Raises UnreadablePicture, also for what has changed since it was placed, or has another digest than the given."""
    if placement.frames is None:
        return read_picture(picture, placement, digest=digest)
    return read_clip(picture, placement, digest=digest)


def check(picture: Picture, content: BinaryIO, placement: Placement) -> None:
    """Decode all that read() might for any placement of this size, and keep nothing. Raises UnreadablePicture."""
    if placement.frames is None:
        decode(picture, content, size=placement.original)
    else:
        check_clip(picture, content, placement)


def decoded_as(placement: Placement) -> str:
    """What check() has found out when it raised nothing."""
    return str(placement.original)
