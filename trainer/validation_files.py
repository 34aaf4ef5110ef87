"""Validation pictures and videos as files with a thumbnail: whole or not there."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from PIL import Image

THUMBNAIL_EDGE = 256
THUMBNAIL_QUALITY = 80
ENDINGS = {"png": "png", "webp": "webp", "jpeg": "jpg"}
"""Of pictures, by value of validation_image_format."""

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG"}
"""As Pillow calls them, by ending."""

VIDEO_ENDING = "mp4"
ENCODERS = (
    ("libx264", {"crf": "16", "preset": "medium", "x264-params": "mbtree=0"}),
    ("libvpx-vp9", {"crf": "20", "b:v": "0"}),
)
"""What browsers play, the better known first, with settings that lose little; not every build of the library has all. With
mbtree, equal small frames gave other files now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A picture, or the video of several frames, and its thumbnail. duration_seconds: None for a picture."""

    path: Path
    thumbnail_path: Path
    width: int
    height: int
    num_frames: int
    duration_seconds: float | None
    size_bytes: int


def keep_picture(image: Image.Image, path: Path, *, quality: int) -> Kept:
    """In the format that the ending says; it is its own thumbnail when it is small enough. quality: counts unless it is a png."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, lambda temporary: image.save(temporary, format=FORMATS[path.suffix], quality=quality))
    return Kept(
        path=path,
        thumbnail_path=path if max(image.size) <= THUMBNAIL_EDGE else _keep_thumbnail(image, path),
        width=image.width,
        height=image.height,
        num_frames=1,
        duration_seconds=None,
        size_bytes=path.stat().st_size,
    )


def keep_video(frames: Sequence[Image.Image], path: Path, *, frame_rate: int) -> Kept:
    """Its thumbnail is the first frame. Edges of frames are even."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, lambda temporary: _encode(frames, temporary, frame_rate=frame_rate))
    return Kept(
        path=path,
        thumbnail_path=_keep_thumbnail(frames[0], path),
        width=frames[0].width,
        height=frames[0].height,
        num_frames=len(frames),
        duration_seconds=len(frames) / frame_rate,
        size_bytes=path.stat().st_size,
    )


def _encode(frames: Sequence[Image.Image], path: Path, *, frame_rate: int) -> None:
    """The index comes first, so that a browser can begin before it has everything. Colours are those of BT.709, and say so:
    players guess them otherwise, by the size."""
    encoder, settings = next(each for each in ENCODERS if each[0] in av.codecs_available)
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = container.add_stream(encoder, rate=Fraction(frame_rate), options=settings)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        for image in frames:
            whole: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            frame = whole.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _keep_thumbnail(image: Image.Image, path: Path) -> Path:
    """Beside the file that it is of."""
    thumbnail = image.copy()
    thumbnail.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE), Image.Resampling.LANCZOS)
    thumbnail_path = path.with_suffix(".thumbnail.webp")
    _write(thumbnail_path, lambda temporary: thumbnail.save(temporary, format="WEBP", quality=THUMBNAIL_QUALITY))
    return thumbnail_path


def _write(path: Path, write: Callable[[Path], None]) -> None:
    """By another name first, and on the disk before it gets its own."""
    temporary = path.with_name(f".{path.name}.partial")
    write(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
