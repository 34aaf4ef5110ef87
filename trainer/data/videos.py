"""From a video file to the upright RGB frames that are trained on, cut and scaled to their aspect bucket.

Only those that are asked for are kept.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import BinaryIO

from PIL import Image

from domain.config.buckets import Placement, Size
from domain.config.clips import Frames
from trainer.data.decoding import BrokenVideo, decoded, opened, turned_of, upright, upright_size
from trainer.data.pictures import UnreadablePicture, digest_of_file
from trainer.data.sources.source import Picture
from trainer.data.timeline import Shown, frames_from, length_of, shown, timeline_of

Clip = tuple[Image.Image, ...]
"""Frames of one size, upright and in RGB."""

MAX_IN_MEMORY = 64 << 20
KINDS = {"mov": "MP4", "matroska": "MKV", "avi": "AVI"}
"""Of containers, as people call them: MOV is as MP4, and WebM as MKV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a video is. size: of its upright frames. num_frames: that are there, whatever its header says. seconds: until the
    last frame ends. kind, codec: for people. turned: how far its frames are turned, against the clock."""

    size: Size
    num_frames: int
    seconds: float
    kind: str
    codec: str
    turned: int

    @property
    def frame_rate(self) -> float:
        """On average."""
        return self.num_frames / self.seconds if self.seconds else 0.0


def measure(file: BinaryIO) -> Measured:
    """By its first frame, and by going through all that is there without decoding the rest. Raises BrokenVideo, OSError."""
    with opened(file) as (container, stream):
        first = next(decoded(container, stream), None)
        if first is None:
            raise BrokenVideo("has no frame that can be decoded")
        size, turned = upright_size(first, stream.sample_aspect_ratio), turned_of(first)
        kind = KINDS[container.format.name.partition(",")[0]]
        codec = stream.codec_context.codec.canonical_name
    num_frames, seconds = length_of(file)
    return Measured(size=size, num_frames=num_frames, seconds=seconds, kind=kind, codec=codec, turned=turned)


def count_frames(file: BinaryIO, size: Size) -> int:
    """All that can be decoded. Raises BrokenVideo for a damaged one, and for one that has another size; OSError."""
    return sum(1 for _ in frames_from(file, size))


def check_clip(video: Picture, file: BinaryIO, placement: Placement) -> None:
    """Decode all of it, and keep nothing. Raises UnreadablePicture."""
    num = _frames_of(placement).num
    try:
        num_decoded = count_frames(file, placement.original)
        if num_decoded < num:
            raise _too_short(num_decoded, num)
    except (BrokenVideo, OSError) as error:
        raise _unreadable(video, error) from error


def read_first_frame(video: Picture) -> Image.Image:
    """Upright. Raises UnreadablePicture."""
    try:
        with video.open() as file, opened(file) as (container, stream):
            for frame in decoded(container, stream):
                return upright(frame, stream.sample_aspect_ratio)
            raise BrokenVideo("has no frame that can be decoded")
    except (BrokenVideo, OSError) as error:
        raise _unreadable(video, error) from error


def measure_video(video: Picture) -> Measured:
    """Raises UnreadablePicture."""
    try:
        with video.open() as file:
            return measure(file)
    except (BrokenVideo, OSError) as error:
        raise _unreadable(video, error) from error


def read_clip(video: Picture, placement: Placement, *, digest: str | None = None) -> Clip:
    """The placement's frames upright, in RGB, its region of each scaled to its target.

    Raises UnreadablePicture, also for a video that has another size than it was placed by, or another digest than the given.
    """
    try:
        with video.open() as source:
            file = _held(source)
            if digest is not None and digest_of_file(file) != digest:
                raise UnreadablePicture(f"{video} was changed while it was looked at")
            clip = _cut_out(file, placement)
            if file is source and digest is not None:
                file.seek(0)
                if digest_of_file(file) != digest:
                    raise UnreadablePicture(f"{video} was changed while it was looked at")
            return clip
    except (BrokenVideo, OSError) as error:
        raise _unreadable(video, error) from error


def _held(file: BinaryIO) -> BinaryIO:
    """In memory, where it is small enough, so that what is decoded is what was looked at."""
    beginning = file.read(MAX_IN_MEMORY + 1)
    if len(beginning) <= MAX_IN_MEMORY:
        return BytesIO(beginning)
    file.seek(0)
    return file


def _cut_out(file: BinaryIO, placement: Placement) -> Clip:
    wanted = _frames_of(placement)
    timeline = timeline_of(file)
    if timeline is None:
        frames: Iterator[Shown] = islice(shown(frames_from(file, placement.original), wanted.rate), wanted.first, None)
    else:
        first = timeline.place_of(wanted.first, rate=wanted.rate)
        from_there = frames_from(file, placement.original, timeline.entry_to(first))
        frames = shown(from_there, wanted.rate, number=wanted.first, begins=timeline.begins)
    clip = tuple(_trained(each, placement) for each in islice(frames, wanted.num))
    return clip if len(clip) == wanted.num else _last_part(file, placement)


def _last_part(file: BinaryIO, placement: Placement) -> Clip:
    """Where some of what is there cannot be decoded, as at the beginning of a piece that was cut out of another video."""
    wanted, num_decoded = _frames_of(placement), 0
    last = deque[Image.Image](maxlen=wanted.num)
    for each in shown(frames_from(file, placement.original), wanted.rate):
        last.append(_trained(each, placement))
        num_decoded += 1
    if num_decoded < wanted.num:
        raise _too_short(num_decoded, wanted.num)
    return tuple(last)


def _trained(each: Shown, placement: Placement) -> Image.Image:
    return upright(each.frame, each.pixel).crop(placement.region).resize(placement.target, Image.Resampling.LANCZOS)


def _frames_of(placement: Placement) -> Frames:
    assert placement.frames is not None, "a video is placed with its frames"
    return placement.frames


def _too_short(num_decoded: int, num: int) -> BrokenVideo:
    return BrokenVideo(f"has {num_decoded} frames that can be decoded, and {num} are needed", "truncated")


def _unreadable(video: Picture, error: Exception) -> UnreadablePicture:
    said = str(error) if isinstance(error, BrokenVideo) else f"cannot be read: {' '.join(str(error).split())}"
    return UnreadablePicture(f"{video} {said}")
