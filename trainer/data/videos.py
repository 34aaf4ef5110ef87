"""From a video file to the upright RGB frames that are trained on, cut and scaled to their aspect bucket.

Frames are decoded one after another, and only those that are asked for are kept. Files are only given to what reads the
listed containers and unpacks the listed codecs, whatever else FFmpeg knows.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import islice
from typing import BinaryIO, Literal, NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from domain.config.buckets import Placement, Size
from domain.config.clips import Frames
from domain.config.dataset import VIDEO_CODECS
from trainer.data.pictures import UnreadablePicture, digest_of_file
from trainer.data.sources.source import Picture

Clip = tuple[Image.Image, ...]
"""Frames of one size, upright and in RGB."""

Shown = tuple[VideoFrame, VideoStream]

MAX_PIXELS = 1 << 26
"""Of a frame: twice those of 8K."""

MAX_IN_MEMORY = 64 << 20
HEAD_BYTES = 12
KINDS = {"mov": "MP4", "matroska": "MKV", "avi": "AVI"}
"""Of containers, as people call them: MOV is as MP4, and WebM as MKV."""

HIGH_DEFINITION = 720
UNSPECIFIED = 2
"""What FFmpeg says of colours that the file says nothing of."""

UPRIGHT = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
"""What makes a frame upright, by how far against the clock it is to be turned."""


class BrokenVideo(Exception):
    """The message goes on behind the name of the file."""

    def __init__(
        self, message: str, kind: Literal["no_video", "truncated", "damaged", "too_large"] = "damaged"
    ) -> None:
        super().__init__(message)
        self.kind = kind


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
        first = next(_decoded(container, stream), None)
        if first is None:
            raise BrokenVideo("has no frame that can be decoded")
        size, turned = _upright_size(first, stream), _turned(first)
        kind = KINDS[container.format.name.partition(",")[0]]
        codec = stream.codec_context.codec.canonical_name
    num_frames, seconds = _length_of(file)
    return Measured(size=size, num_frames=num_frames, seconds=seconds, kind=kind, codec=codec, turned=turned)


def count_frames(file: BinaryIO, size: Size) -> int:
    """All that can be decoded. Raises BrokenVideo for a damaged one, and for one that has another size; OSError."""
    return sum(1 for _ in _frames(file, size))


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
            for frame in _decoded(container, stream):
                return _upright(frame, stream)
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
    timeline = _timeline_of(file)
    if timeline is None:
        frames: Iterator[Shown] = islice(_shown(_frames(file, placement.original), wanted.rate), wanted.first, None)
    else:
        first = timeline.place_of(wanted.first, rate=wanted.rate)
        from_there = _frames(file, placement.original, timeline.entry_to(first))
        frames = _shown(from_there, wanted.rate, number=wanted.first, begins=timeline.begins)
    clip = tuple(_trained(*each, placement) for each in islice(frames, wanted.num))
    return clip if len(clip) == wanted.num else _last_part(file, placement)


def _last_part(file: BinaryIO, placement: Placement) -> Clip:
    """Where some of what is there cannot be decoded, as at the beginning of a piece that was cut out of another video."""
    wanted, num_decoded = _frames_of(placement), 0
    last = deque[Image.Image](maxlen=wanted.num)
    for each in _shown(_frames(file, placement.original), wanted.rate):
        last.append(_trained(*each, placement))
        num_decoded += 1
    if num_decoded < wanted.num:
        raise _too_short(num_decoded, wanted.num)
    return tuple(last)


def _trained(frame: VideoFrame, stream: VideoStream, placement: Placement) -> Image.Image:
    return _upright(frame, stream).crop(placement.region).resize(placement.target, Image.Resampling.LANCZOS)


class Entry(NamedTuple):
    """Where to begin to decode: with a packet, counted from 0, to get the frames from a time of the stream on."""

    packet: int = 0
    time: int | None = None


BEGINNING = Entry()


@dataclass(frozen=True, slots=True)
class Timeline:
    """times: of all frames, in the stream's unit, as they are shown. keys: packets, and times, that need none before them."""

    times: tuple[int, ...]
    keys: tuple[tuple[int, int], ...]
    unit: Fraction

    @property
    def begins(self) -> float:
        return float(self.times[0] * self.unit)

    def place_of(self, number: int, *, rate: int | None) -> int:
        """Of the frame that is the number-th when the video is brought to the rate."""
        if rate is None:
            return number
        middle = self.begins + (number + 0.5) / rate
        return max(0, bisect_right(self.times, middle, key=lambda time: float(time * self.unit)) - 1)

    def entry_to(self, place: int) -> Entry:
        """One key before the nearest: what lies behind some keys needs a little of what was before."""
        time = self.times[min(place, len(self.times) - 1)]
        before = [packet for packet, key_time in self.keys if key_time <= time]
        return Entry(before[-2] if len(before) > 1 else 0, time)


def _timeline_of(file: BinaryIO) -> Timeline | None:
    """None for a video that does not say when its frames are shown."""
    times, keys = list[int](), list[tuple[int, int]]()
    with opened(file) as (container, stream):
        for number, packet in enumerate(packet for packet in container.demux(stream) if packet.size):
            if packet.pts is None:
                return None
            if packet.is_keyframe:
                keys.append((number, packet.pts))
            if not packet.is_discard:
                times.append(packet.pts)
        unit = stream.time_base or Fraction(1)
    return Timeline(tuple(sorted(times)), tuple(keys), unit) if times and len(set(times)) == len(times) else None


def _frames_of(placement: Placement) -> Frames:
    assert placement.frames is not None, "a video is placed with its frames"
    return placement.frames


def _too_short(num_decoded: int, num: int) -> BrokenVideo:
    return BrokenVideo(f"has {num_decoded} frames that can be decoded, and {num} are needed", "truncated")


def _frames(file: BinaryIO, size: Size, entry: Entry = BEGINNING) -> Iterator[Shown]:
    """Raises BrokenVideo, also for one of another size."""
    with opened(file) as (container, stream):
        for number, frame in enumerate(_decoded(container, stream, entry)):
            found = _upright_size(frame, stream)
            if found != size:
                raise BrokenVideo(f"is {found} pixels in frame {number} and was {size}")
            yield frame, stream


def _shown(
    frames: Iterator[Shown], rate: int | None, *, number: int = 0, begins: float | None = None
) -> Iterator[Shown]:
    """As they are; or with a rate of each interval, the frame that is shown in its middle, be it for several of them or for none.

    number: of the first interval. begins: when the video does, in seconds; None: with the first of these frames.
    """
    if rate is None:
        yield from frames
        return
    time = length = 0.0
    last: Shown | None = None
    for frame, stream in frames:
        time = frame.time if frame.time is not None else time + length
        length = _length_in_seconds(frame, stream)
        begins = time if begins is None else begins
        while last is not None and begins + (number + 0.5) / rate < time:
            yield last
            number += 1
        last = frame, stream
    while last is not None and (number == 0 or (begins or 0) + (number + 0.5) / rate < time + length):
        yield last
        number += 1


def _length_in_seconds(frame: VideoFrame, stream: VideoStream) -> float:
    if frame.duration and frame.time_base:
        return float(frame.duration * frame.time_base)
    return float(1 / stream.average_rate) if stream.average_rate else 0.0


@contextmanager
def opened(file: BinaryIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Its first video, which is decoded by one thread alone. Raises BrokenVideo; so does what FFmpeg says in the block."""
    file.seek(0)
    kind = _container_of(file.read(HEAD_BYTES))
    if kind is None:
        raise BrokenVideo("is no video of a kind that is read here (MP4, MOV, MKV, WebM, AVI)", "no_video")
    file.seek(0)
    try:
        with av.open(
            file, "r", format=kind, options={"codec_whitelist": ",".join(VIDEO_CODECS)}, metadata_errors="replace"
        ) as container:
            stream = next((each for each in container.streams.video if not _is_cover(each)), None)
            if stream is None:
                if container.streams.audio:
                    raise BrokenVideo("has sound and no video", "no_video")
                raise BrokenVideo("has no video, or ends before it says where")
            if stream.codec_context is None or stream.codec_context.name not in VIDEO_CODECS:
                raise BrokenVideo("has a codec that is not read here; H.264, H.265, VP9 and AV1 are", "no_video")
            if stream.width * stream.height > MAX_PIXELS:
                raise BrokenVideo(
                    f"has frames of {stream.width}×{stream.height} pixels, more than are read here", "too_large"
                )
            stream.thread_count = 1
            yield container, stream
    except av.error.FFmpegError as error:
        raise BrokenVideo(f"is damaged: {error.strerror or error}") from error


def _container_of(head: bytes) -> str | None:
    """What FFmpeg calls it."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mov"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else None


def _is_cover(stream: VideoStream) -> bool:
    """A picture that some files of sound have."""
    return bool(stream.disposition & Disposition.attached_pic)


def _decoded(container: InputContainer, stream: VideoStream, entry: Entry = BEGINNING) -> Iterator[VideoFrame]:
    """Raises BrokenVideo for a frame that is damaged."""
    num_packets = num_frames = 0
    for packet in container.demux(stream):
        num_packets += 1
        if packet.size and num_packets <= entry.packet:
            continue
        for frame in packet.decode():
            if entry.time is not None and frame.pts is not None and frame.pts < entry.time:
                continue
            if frame.is_corrupt:
                raise BrokenVideo(f"is damaged in frame {num_frames}" if entry.time is None else "is damaged inside")
            num_frames += 1
            yield frame


def _length_of(file: BinaryIO) -> tuple[int, float]:
    """Frames that are there, and seconds. Raises BrokenVideo where the file says that there are more."""
    with opened(file) as (container, stream):
        base = stream.time_base or Fraction(1)
        told = stream.frames if container.format.name.startswith("mov") else 0
        num_packets = num_shown = 0
        begins: int | None = None
        ends = 0
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                num_packets += 1
                if packet.is_discard:
                    continue
                num_shown += 1
                time = packet.pts if packet.pts is not None else packet.dts
                if time is not None:
                    begins = time if begins is None else min(begins, time)
                    ends = max(ends, time + (packet.duration or 0))
        except av.error.FFmpegError as error:
            raise BrokenVideo(f"is cut short behind frame {num_packets}: {error.strerror}", "truncated") from error
        if num_packets < told:
            raise BrokenVideo(f"is cut short: {told} frames are told of and {num_packets} are there", "truncated")
        seconds = 0.0 if begins is None else float((ends - begins) * base)
        rate = stream.average_rate
        return num_shown, seconds if seconds > 0 or not rate else float(num_shown / rate)


def _upright(frame: VideoFrame, stream: VideoStream) -> Image.Image:
    """In RGB, with square pixels."""
    is_high = min(frame.width, frame.height) >= HIGH_DEFINITION
    colours = None if frame.colorspace != UNSPECIFIED else "ITU709" if is_high else "ITU601"
    picture: Image.Image = frame.to_image(src_colorspace=colours)  # type: ignore[no-untyped-call]
    size = _square_size(frame, stream)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    turned = _turned(frame)
    return picture.transpose(UPRIGHT[turned]) if turned else picture


def _upright_size(frame: VideoFrame, stream: VideoStream) -> Size:
    size = _square_size(frame, stream)
    return Size(size.height, size.width) if _turned(frame) in (90, 270) else size


def _square_size(frame: VideoFrame, stream: VideoStream) -> Size:
    """With the width that pixels have which are not square, as on a DVD."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    return Size(max(1, round(frame.width * ratio)), frame.height) if ratio > 0 else Size(frame.width, frame.height)


def _turned(frame: VideoFrame) -> int:
    """In quarters of a turn; others are left as they are."""
    turned = frame.rotation % 360
    return turned if turned in UPRIGHT else 0


def _unreadable(video: Picture, error: Exception) -> UnreadablePicture:
    said = str(error) if isinstance(error, BrokenVideo) else f"cannot be read: {' '.join(str(error).split())}"
    return UnreadablePicture(f"{video} {said}")
