"""Frames out of files of strangers, by FFmpeg: one after another, upright, in RGB.

Files are only given to what reads the listed containers and unpacks the listed codecs, whatever else FFmpeg knows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import BinaryIO, Literal, NamedTuple

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from domain.config.buckets import Size
from domain.config.dataset import VIDEO_CODECS

MAX_PIXELS = 1 << 26
"""Of a frame: twice those of 8K."""

HEAD_BYTES = 12
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


class Entry(NamedTuple):
    """Where to begin to decode: with a packet, counted from 0, to get the frames from a time of the stream on."""

    packet: int = 0
    time: int | None = None


BEGINNING = Entry()


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
            _refuse_too_large(Size(stream.width, stream.height))
            # Frames may be larger than the header says, and are refused before there is memory for them.
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
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


def decoded(container: InputContainer, stream: VideoStream, entry: Entry = BEGINNING) -> Iterator[VideoFrame]:
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


def upright(frame: VideoFrame, pixel: Fraction | None) -> Image.Image:
    """In RGB, with square pixels. pixel: the shape that those of the stream have, width by height, read while the file is open."""
    is_high = min(frame.width, frame.height) >= HIGH_DEFINITION
    colours = None if frame.colorspace != UNSPECIFIED else "ITU709" if is_high else "ITU601"
    picture: Image.Image = frame.to_image(src_colorspace=colours)  # type: ignore[no-untyped-call]
    size = _square_size(frame, pixel)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    turned = turned_of(frame)
    return picture.transpose(UPRIGHT[turned]) if turned else picture


def upright_size(frame: VideoFrame, pixel: Fraction | None) -> Size:
    size = _square_size(frame, pixel)
    return Size(size.height, size.width) if turned_of(frame) in (90, 270) else size


def _square_size(frame: VideoFrame, pixel: Fraction | None) -> Size:
    """With the width that pixels have which are not square, as on a DVD. Raises BrokenVideo for one that is too large."""
    ratio = pixel or Fraction(1)
    size = Size(max(1, round(frame.width * ratio)), frame.height) if ratio > 0 else Size(frame.width, frame.height)
    _refuse_too_large(size)
    return size


def _refuse_too_large(size: Size) -> None:
    """Raises BrokenVideo."""
    if size.width * size.height > MAX_PIXELS:
        raise BrokenVideo(f"has frames of {size} pixels, more than are read here", "too_large")


def turned_of(frame: VideoFrame) -> int:
    """In quarters of a turn; others are left as they are."""
    turned = frame.rotation % 360
    return turned if turned in UPRIGHT else 0
