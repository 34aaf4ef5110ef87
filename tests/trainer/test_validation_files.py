"""Validation videos as files that browsers play."""

import struct
from pathlib import Path
from typing import Any

import av
from PIL import Image

from trainer.validation_files import keep_video

COLOURS = ("red", "lime", "blue", "white", "black")


def moving(size: tuple[int, int]) -> list[Image.Image]:
    return [Image.new("RGB", size, colour) for colour in COLOURS]


def colour_of(image: Image.Image) -> tuple[int, ...]:
    """In its middle."""
    colour = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(colour, tuple)
    return colour


def boxes(path: Path) -> list[bytes]:
    """The names of an MP4 file's outermost parts, in their order."""
    content, found = path.read_bytes(), []
    while content:
        size, name = struct.unpack(">I4s", content[:8])
        found.append(name)
        content = content[size:]
    return found


def test_video_keeps_every_frame_its_colours_and_its_pace(tmp_path: Path) -> None:
    kept = keep_video(moving((96, 64)), tmp_path / "step" / "000.mp4", frame_rate=10)
    with av.open(kept.path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        decoded: list[Any] = list(container.decode(stream))
    assert [frame.time for frame in decoded] == [0.0, 0.1, 0.2, 0.3, 0.4]
    middles = [colour_of(frame.to_image()) for frame in decoded]
    for middle, image in zip(middles, moving((1, 1)), strict=True):
        assert max(abs(one - other) for one, other in zip(middle, colour_of(image), strict=True)) <= 3
    assert (kept.width, kept.height, kept.num_frames, kept.duration_seconds) == (96, 64, 5, 0.5)
    assert kept.size_bytes == kept.path.stat().st_size


def test_video_begins_with_its_index_and_leaves_nothing_beside_it_but_a_picture(tmp_path: Path) -> None:
    kept = keep_video(moving((512, 64)), tmp_path / "000.mp4", frame_rate=16)
    found = boxes(kept.path)
    assert found.index(b"moov") < found.index(b"mdat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000.mp4", "000.thumbnail.webp"]
    thumbnail = Image.open(kept.thumbnail_path).convert("RGB")
    assert thumbnail.size == (256, 32)
    assert colour_of(thumbnail)[0] > 240
