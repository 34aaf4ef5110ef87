"""Videos read frame by frame: what they are, which part is taken, and what cannot be."""

import itertools
import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image, ImageChops

from domain.config.buckets import Geometry, Placement, Size, place
from domain.config.clips import ClipRules, Frames
from domain.families.family import VideoFacts
from tests.trainer.filming import film, frame_picture, level_of, record_sound
from trainer.data import decoding, timeline
from trainer.data.decoding import BrokenVideo
from trainer.data.pictures import UnreadablePicture
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture
from trainer.data.videos import Measured, check_clip, count_frames, measure, read_clip, read_first_frame

FACTS = VideoFacts(frame_rate=16, frames_per_latent=4)


def picture_of(path: Path) -> Picture:
    return LocalFolder(path.parent, dataset="clips").picture(path.name)


def placement(size: Size, part: Frames, *, to: int = 32) -> Placement:
    rules = ClipRules(facts=FACTS, num_frames=part.num, min_frames=1, max_frames=None, lengths_step=None)
    placed = place(Geometry(resolution=to, alignment=8, clips=rules), size, num_frames=part.total)
    assert isinstance(placed, Placement)
    return replace(placed, frames=part)


def measured(path: Path) -> Measured:
    with path.open("rb") as file:
        return measure(file)


def levels(clip: tuple[Image.Image, ...]) -> list[int]:
    """The grey in the middle of each frame."""
    return [frame.getpixel((frame.width // 2, frame.height // 2))[0] for frame in clip]  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "kind", "codec"),
    [
        ("a.mp4", "MP4", "h264"),
        ("a.mov", "MP4", "h264"),
        ("a.m4v", "MP4", "h264"),
        ("a.webm", "MKV", "vp9"),
        ("a.mkv", "MKV", "ffv1"),
        ("a.avi", "AVI", "mpeg4"),
    ],
)
def test_video_of_each_kind_is_measured_and_read(name: str, kind: str, codec: str, tmp_path: Path) -> None:
    path = film(tmp_path / name, num_frames=9)
    found = measured(path)
    assert found.seconds == pytest.approx(9 / 16, abs=0.002)
    assert found == Measured(size=Size(64, 64), num_frames=9, seconds=found.seconds, kind=kind, codec=codec, turned=0)
    clip = read_clip(picture_of(path), placement(Size(64, 64), Frames(2, 5, 9)))
    assert [frame.size for frame in clip] == [(32, 32)] * 5
    assert levels(clip) == pytest.approx([level_of(number) for number in range(2, 7)], abs=4)


def test_clip_is_each_frame_cut_and_scaled_as_a_picture_is(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", num_frames=6, size=(90, 65))
    cut = placement(Size(90, 65), Frames(1, 4, 6))
    expected = [
        frame_picture(number, (90, 65)).crop(cut.region).resize(cut.target, Image.Resampling.LANCZOS)
        for number in range(1, 5)
    ]
    clip = read_clip(picture_of(path), cut)
    assert [ImageChops.difference(*pair).getbbox() for pair in zip(clip, expected, strict=True)] == [None] * 4


@pytest.mark.parametrize(("turned", "corner"), [(90, (2, 88)), (180, (62, 88)), (270, (62, 2))])
def test_turned_video_is_made_upright(turned: int, corner: tuple[int, int], tmp_path: Path) -> None:
    """corner: where the red one comes to, at the top left of the frames as they are packed."""
    size = (64, 90) if turned == 180 else (90, 64)
    path = film(tmp_path / "a.mp4", num_frames=2, size=size, turned=turned)
    found = measured(path)
    assert (found.size, found.turned) == (Size(64, 90), turned)
    red, green, _ = read_first_frame(picture_of(path)).getpixel(corner)  # type: ignore[misc]
    assert red > 180
    assert green < 60


def test_frames_of_changing_length_are_taken_one_after_another(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", num_frames=6, milliseconds=[0, 10, 500, 510, 520, 2000])
    found = measured(path)
    assert (found.num_frames, round(found.seconds)) == (6, 2)
    clip = read_clip(picture_of(path), placement(Size(64, 64), Frames(1, 5, 6)))
    assert levels(clip) == [level_of(number) for number in range(1, 6)]


@pytest.mark.parametrize(
    ("times", "rate", "frames"),
    [
        # Thirty frames a second to sixteen, and eight to sixteen: what is there in the middle of each sixteenth. The last
        # frame of a file is taken to last as long as its header says that all do.
        ([1000 * number // 30 for number in range(30)], 16, [int((place + 0.5) / 16 * 30) for place in range(16)]),
        ([125 * number for number in range(8)], 16, [place // 2 for place in range(15)]),
        ([1000 * number // 16 for number in range(16)], 16, list(range(16))),
        ([0, 10, 500, 510, 520, 2000], 2, [1, 4, 4, 4]),
    ],
)
def test_video_is_brought_to_a_frame_rate_by_time(
    times: list[int], rate: int, frames: list[int], tmp_path: Path
) -> None:
    path = film(tmp_path / "a.mkv", num_frames=len(times), milliseconds=times)
    part = Frames(1, len(frames) - 1, len(frames), rate)
    clip = read_clip(picture_of(path), placement(Size(64, 64), part))
    assert levels(clip) == [level_of(number) for number in frames[1:]]


def test_video_with_sound_and_one_frame(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", num_frames=1, has_sound=True)
    assert (measured(path).num_frames, measured(path).frame_rate) == (1, 16)
    assert len(read_clip(picture_of(path), placement(Size(64, 64), Frames(0, 1, 1)))) == 1


def test_only_a_part_of_a_video_is_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame is made a picture only where it is of the clip, and what lies behind it is not decoded."""
    path = film(tmp_path / "a.mkv", num_frames=40)
    decoded = itertools.count()
    frames = decoding.decoded

    def counted(*args: object) -> object:
        for frame in frames(*args):  # type: ignore[arg-type]
            next(decoded)
            yield frame

    monkeypatch.setattr(timeline, "decoded", counted)
    read_clip(picture_of(path), placement(Size(64, 64), Frames(10, 5, 40)))
    assert next(decoded) == 5


@pytest.mark.parametrize("rate", [None, 16, 10])
@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.avi"])
def test_part_in_the_middle_is_what_it_is_when_all_is_decoded(name: str, rate: int | None, tmp_path: Path) -> None:
    """Frames of .mp4 lean on later ones, and only every twelfth stands for itself; an .avi does not say when they are shown."""
    path = film(tmp_path / name, num_frames=60, options={"g": "12", "bf": "3"} if name == "a.mp4" else {"g": "12"})
    total = {None: 60, 16: 60, 10: 37}[rate]
    whole = read_clip(picture_of(path), placement(Size(64, 64), Frames(0, total, total, rate)))
    for first in (1, 11, 12, 13, 24, 30):
        clip = read_clip(picture_of(path), placement(Size(64, 64), Frames(first, 7, total, rate)))
        assert [each.tobytes() for each in clip] == [each.tobytes() for each in whole[first : first + 7]]


def cut_short(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


def overwritten(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) * 4 // 5
    content[middle : middle + 200] = bytes(range(200))
    path.write_bytes(content)


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "sound": (lambda folder: record_sound(folder / "a.mp4"), "has sound and no video"),
    "text": (
        lambda folder: written(folder / "a.mp4", b"hello there, no video"),
        "is no video of a kind that is read here",
    ),
    "empty": (lambda folder: written(folder / "a.mp4", b""), "is no video of a kind that is read here"),
    "picture": (lambda folder: picture_as(folder / "a.mp4"), "is no video of a kind that is read here"),
    "playlist": (
        lambda folder: written(folder / "a.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
        "is no video of a kind that is read here",
    ),
    "without its index": (lambda folder: shortened(folder, {}), "has no video, or ends before it says where"),
    "pixels as wide as a street": (
        lambda folder: with_pixels(film(folder / "a.mp4"), width=65_535),
        "has frames of 4194240×64 pixels, more than are read here",
    ),
    "shown for weeks": (
        lambda folder: film(folder / "a.mkv", num_frames=2, milliseconds=[0, 2_000_000_000]),
        "says that it lasts 556 hours, and more than 24 are not read here",
    ),
    "cut short": (
        lambda folder: shortened(folder, {"movflags": "faststart"}),
        "is cut short: its header tells of 60 frames, and",
    ),
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def with_pixels(path: Path, *, width: int) -> Path:
    """Of an .mp4, so many times as wide as they are high, as its header says it."""
    content = bytearray(path.read_bytes())
    said = b"\0\0\0\x10pasp" + struct.pack(">II", width, 1)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at = content.index(name, content.index(b"moov")) - 4
        struct.pack_into(">I", content, at, struct.unpack_from(">I", content, at)[0] + len(said))
    behind = content.index(b"avcC") - 4
    content[behind:behind] = said
    return written(path, bytes(content))


def picture_as(path: Path) -> Path:
    Image.new("RGB", (8, 8)).save(path, "PNG")
    return path


def shortened(folder: Path, container_options: dict[str, str]) -> Path:
    path = film(folder / "a.mp4", num_frames=60, container_options=container_options)
    cut_short(path)
    return path


@pytest.mark.parametrize("name", BROKEN)
def test_file_that_is_no_whole_video_is_refused_by_what_it_is(name: str, tmp_path: Path) -> None:
    make, message = BROKEN[name]
    path = make(tmp_path)
    with pytest.raises(BrokenVideo, match=message), path.open("rb") as file:
        measure(file)
    with pytest.raises(UnreadablePicture, match=f"{path}"):
        read_clip(picture_of(path), placement(Size(64, 64), Frames(50, 5, 60)))


def test_damage_inside_is_found_by_whoever_decodes_it(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", num_frames=40, size=(128, 128), container_options={"movflags": "faststart"})
    overwritten(path)
    assert measured(path).num_frames == 40
    with pytest.raises(BrokenVideo), path.open("rb") as file:
        count_frames(file, Size(128, 128))
    with pytest.raises(UnreadablePicture), path.open("rb") as file:
        check_clip(picture_of(path), file, placement(Size(128, 128), Frames(0, 5, 30)))


def test_frame_that_is_larger_than_the_header_says_is_not_even_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=16)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        for number, edge in enumerate((64, 128)):
            content = BytesIO()
            Image.new("RGB", (edge, edge)).save(content, "JPEG")
            packet = av.Packet(content.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 16)
            container.mux(packet)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 64 * 64)
    assert measured(path).num_frames == 2
    with pytest.raises(BrokenVideo, match="is damaged"), path.open("rb") as file:
        count_frames(file, Size(64, 64))


def test_video_of_a_codec_that_is_not_listed_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv")
    monkeypatch.setattr(decoding, "VIDEO_CODECS", ("h264",))
    with pytest.raises(BrokenVideo, match="has a codec that is not read here"), path.open("rb") as file:
        measure(file)


def test_video_that_changed_meanwhile_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    part = placement(Size(64, 64), Frames(0, 5, 12))
    with pytest.raises(UnreadablePicture, match="was changed while it was looked at"):
        read_clip(picture_of(path), part, digest="another")
    film(path, size=(32, 48))
    with pytest.raises(UnreadablePicture, match="is 32×48 pixels in frame 0 and was 64×64"):
        read_clip(picture_of(path), part)


def test_clip_that_reaches_behind_what_can_be_decoded_is_the_last_that_can(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", num_frames=12)
    clip = read_clip(picture_of(path), placement(Size(64, 64), Frames(9, 5, 14)))
    assert levels(clip) == [level_of(number) for number in range(7, 12)]
    with pytest.raises(UnreadablePicture, match="has 12 frames that can be decoded, and 13 are needed"):
        read_clip(picture_of(path), placement(Size(64, 64), Frames(0, 13, 14)))
