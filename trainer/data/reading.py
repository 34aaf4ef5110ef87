"""What is trained on, read from its file: a picture, or where the placement says which frames, a clip of a video."""

from dataclasses import replace
from typing import BinaryIO, NamedTuple

from PIL import Image

from domain.config.buckets import Geometry, Placement, Size
from trainer.data.measurements import Measurements
from trainer.data.pictures import decode, read_picture, size_of
from trainer.data.sources.source import Picture
from trainer.data.videos import Clip, check_clip, read_clip

Seen = Image.Image | Clip
"""A picture or the frames of a clip, upright, cut and scaled."""


class Extent(NamedTuple):
    """Of an upright picture or video. num_frames: to take from. frame_rate: of the file, None of a picture."""

    size: Size
    num_frames: int = 1
    frame_rate: float | None = None


def measure(picture: Picture, geometry: Geometry, measurements: Measurements) -> Extent:
    """Raises UnreadablePicture."""
    if geometry.clips is None:
        return Extent(picture.size or size_of(picture))
    found = measurements.of(picture)
    num_frames = geometry.clips.num_frames_of(found.num_frames, seconds=found.seconds)
    return Extent(found.size, num_frames, found.frame_rate)


def read(picture: Picture, placement: Placement, *, digest: str | None = None) -> Seen:
    """Raises UnreadablePicture, also for what has changed since it was placed, or has another digest than the given."""
    if placement.frames is None:
        return read_picture(picture, placement, digest=digest)
    return read_clip(picture, placement, digest=digest)


def read_still(picture: Picture, placement: Placement) -> Image.Image:
    """The picture, or the first frame of the clip. Raises UnreadablePicture."""
    if placement.frames is None:
        return read_picture(picture, placement)
    return read_clip(picture, replace(placement, frames=placement.frames._replace(num=1)))[0]


def check(picture: Picture, content: BinaryIO, placement: Placement) -> None:
    """Decode all that read() might for any placement of this size, and keep nothing. Raises UnreadablePicture."""
    if placement.frames is None:
        decode(picture, content, size=placement.original)
    else:
        check_clip(picture, content, placement)


def decoded_as(placement: Placement) -> str:
    """What check() has found out when it raised nothing."""
    return str(placement.original)
