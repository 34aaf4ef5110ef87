"""Small videos whose frames can be told apart."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

CODECS = {
    ".mp4": "libx264",
    ".mov": "libx264",
    ".m4v": "libx264",
    ".webm": "libvpx-vp9",
    ".avi": "mpeg4",
    ".mkv": "ffv1",
}
TIME_BASE = Fraction(1, 1000)
STEP = 7


def level_of(number: int) -> int:
    """The grey of a frame, away from black and white."""
    return 16 + number * STEP % 224


def frame_picture(number: int, size: tuple[int, int]) -> Image.Image:
    """Grey by its number, with a red corner at its top left."""
    picture = Image.new("RGB", size, (level_of(number),) * 3)
    picture.paste((220, 20, 20), (0, 0, size[0] // 4, size[1] // 4))
    return picture


def film(
    path: Path,
    *,
    num_frames: int = 12,
    size: tuple[int, int] = (64, 64),
    rate: int = 16,
    milliseconds: Sequence[int] | None = None,
    turned: int = 0,
    has_sound: bool = False,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """.mkv keeps every pixel. milliseconds: when each frame is shown, in place of a rate. turned: what the file says about
    how its frames are to be turned, against the clock. options: of the codec."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(CODECS[path.suffix], rate=rate)
        stream.width, stream.height = size
        stream.options = options or {}
        stream.pix_fmt = "bgr0" if path.suffix == ".mkv" else "yuv420p"
        if milliseconds is not None:
            stream.codec_context.time_base = TIME_BASE
        if turned:
            stream.set_display_rotation(turned)
        sound: Any = container.add_stream("aac", rate=16_000) if has_sound else None
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.asarray(frame_picture(number, size)), format="rgb24")
            if milliseconds is not None:
                frame.pts, frame.time_base = milliseconds[number], TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            record(container, sound)
    return path


def record_sound(path: Path) -> Path:
    """A file of sound alone."""
    with av.open(str(path), "w") as container:
        record(container, container.add_stream("aac", rate=16_000))
    return path


def record(container: Any, stream: Any) -> None:
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    silence.sample_rate = 16_000
    container.mux(stream.encode(silence))
    container.mux(stream.encode())
