"""Every kind of file that people have becomes an upright square in RGB, or is named as unreadable."""

import math
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from domain.config.buckets import Geometry, Placement, Region, Size, place
from trainer.data.encoding import to_pixels
from trainer.data.pictures import UnreadablePicture, read_picture, size_of
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture

SIZE = Size(32, 32)
DAMAGED_BYTES = {"AVIF": slice(149, 153), "DDS": slice(76, 104)}
RED, WHITE, BLACK, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 0), (0, 0, 255)


def picture_at(path: Path) -> Picture:
    return LocalFolder(path.parent, dataset="ink").picture(path.name)


def placed(path: Path, *, edge: int, **options: Any) -> Placement:
    found = place(Geometry(resolution=edge, alignment=8, upscale=math.inf, **options), size_of(picture_at(path)))
    assert isinstance(found, Placement)
    return found


def read_square(path: Path, *, edge: int) -> Image.Image:
    return read_picture(picture_at(path), placed(path, edge=edge))


def colours_of(picture: Image.Image) -> list[tuple[int, ...]]:
    """The middle of each quarter: top left, top right, bottom left, bottom right."""
    left, right, top, bottom = (length * part // 4 for length in picture.size for part in (1, 3))
    return [picture.getpixel(place) for place in ((left, top), (right, top), (left, bottom), (right, bottom))]  # type: ignore[misc]


def halves(size: tuple[int, int], first: tuple[int, int, int], second: tuple[int, int, int]) -> Image.Image:
    """The left half in one colour, the right half in another."""
    picture = Image.new("RGB", size, first)
    picture.paste(second, (size[0] // 2, 0, *size))
    return picture


def test_wide_picture_is_cut_to_its_middle(tmp_path: Path) -> None:
    picture = Image.new("RGB", (300, 100), RED)
    picture.paste(BLUE, (100, 0, 200, 100))
    picture.save(tmp_path / "a.png")
    read = read_square(tmp_path / "a.png", edge=40)
    assert read.size == (40, 40)
    assert read.getextrema() == ((0, 0), (0, 0), (255, 255))


def test_tall_picture_is_cut_to_its_middle(tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 300), RED)
    picture.paste(BLUE, (0, 100, 100, 200))
    picture.save(tmp_path / "a.png")
    assert read_square(tmp_path / "a.png", edge=40).getextrema() == ((0, 0), (0, 0), (255, 255))


def test_small_picture_is_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), RED).save(tmp_path / "a.png")
    assert read_square(tmp_path / "a.png", edge=64).size == (64, 64)


def test_picture_of_the_right_size_is_left_as_it_is(tmp_path: Path) -> None:
    noise = Image.frombytes("RGB", (64, 64), random.Random(0).randbytes(64 * 64 * 3))
    noise.save(tmp_path / "a.png")
    assert read_square(tmp_path / "a.png", edge=64).tobytes() == noise.tobytes()


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, BLUE, RED, BLUE]),
        (2, [BLUE, RED, BLUE, RED]),
        (3, [BLUE, RED, BLUE, RED]),
        (6, [RED, RED, BLUE, BLUE]),
        (8, [BLUE, BLUE, RED, RED]),
    ],
)
def test_orientation_of_the_camera_is_applied(
    tmp_path: Path, orientation: int, expected: list[tuple[int, ...]]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    halves((64, 64), RED, BLUE).save(tmp_path / "a.png", exif=exif)
    assert colours_of(read_square(tmp_path / "a.png", edge=64)) == expected


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_becomes_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (32, 0, 64, 64))
    if mode == "PA":
        picture = picture.quantize(4)
    elif mode == "LA":
        picture = picture.convert("LA")
    picture.save(tmp_path / "a.png")
    assert colours_of(read_square(tmp_path / "a.png", edge=64)) == [WHITE, BLACK, WHITE, BLACK]


def test_palette_with_one_transparent_colour_becomes_white_there(tmp_path: Path) -> None:
    picture = halves((64, 64), BLUE, RED).quantize(2)
    palette_index = picture.getpixel((0, 0))
    picture.save(tmp_path / "a.png", transparency=palette_index)
    assert colours_of(read_square(tmp_path / "a.png", edge=64)) == [WHITE, RED, WHITE, RED]


def test_half_transparency_is_mixed_with_white(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 51)).save(tmp_path / "a.webp", lossless=True)
    assert colours_of(read_square(tmp_path / "a.webp", edge=64)) == [(204, 204, 204)] * 4


def test_cmyk_is_converted(tmp_path: Path) -> None:
    halves((64, 64), BLACK, WHITE).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    dark, light = colours_of(read_square(tmp_path / "a.jpg", edge=64))[:2]
    assert max(dark) < 10
    assert min(light) > 245


@pytest.mark.parametrize("value", [0, 0x80FF, 0xFFFF])
def test_sixteen_bits_become_eight(tmp_path: Path, value: int) -> None:
    Image.new("I;16", (64, 64), value).save(tmp_path / "a.png")
    assert colours_of(read_square(tmp_path / "a.png", edge=64)) == [(value >> 8,) * 3] * 4


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_other_modes_are_read(tmp_path: Path, mode: str) -> None:
    halves((64, 64), BLACK, WHITE).convert(mode).save(tmp_path / "a.bmp")
    assert colours_of(read_square(tmp_path / "a.bmp", edge=64)) == [BLACK, WHITE, BLACK, WHITE]


def test_pixels_go_from_minus_one_to_one(tmp_path: Path) -> None:
    pixels = to_pixels(halves((4, 2), BLACK, RED))
    assert pixels.shape == (3, 2, 4)
    assert pixels[0, 0].tolist() == [-1, -1, 1, 1]
    assert (pixels[1:] == -1).all()


def test_wide_picture_keeps_its_shape_without_a_crop(tmp_path: Path) -> None:
    halves((192, 96), RED, BLUE).save(tmp_path / "a.png")
    read = read_picture(picture_at(tmp_path / "a.png"), placed(tmp_path / "a.png", edge=64, crop=False))
    assert read.size == (88, 48)
    assert colours_of(read) == [RED, BLUE, RED, BLUE]


def test_size_of_a_turned_picture_is_that_of_the_upright_one(tmp_path: Path) -> None:
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        for suffix in ("jpg", "png", "webp"):
            path = tmp_path / f"{orientation}.{suffix}"
            Image.new("RGB", (40, 24), RED).save(path, exif=exif)
            assert size_of(picture_at(path)) == (Size(24, 40) if orientation > 4 else Size(40, 24))
            assert (
                read_picture(picture_at(path), placed(path, edge=24, crop=False)).size
                == placed(path, edge=24, crop=False).target
            )


def test_turned_picture_is_cut_as_it_is_seen(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    halves((192, 64), RED, BLUE).save(tmp_path / "a.png", exif=exif)
    read = read_picture(picture_at(tmp_path / "a.png"), placed(tmp_path / "a.png", edge=64, crop_style="corner"))
    assert read.getextrema() == ((255, 255), (0, 0), (0, 0))


def test_picture_that_has_changed_since_it_was_placed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(path)
    placement = placed(path, edge=64)
    Image.new("RGB", (64, 96)).save(path)
    with pytest.raises(UnreadablePicture, match=r"a\.png was 64×64 pixels and is 64×96 now"):
        read_picture(picture_at(path), placement)


# ---- unreadable -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(UnreadablePicture, match=r"broken\.png"):
        read_square(path, edge=64)


@pytest.mark.parametrize("kind", ["AVIF", "DDS"])
def test_damaged_file_of_another_kind_is_named(tmp_path: Path, kind: str) -> None:
    """Browsers save such files under the endings of pictures that count."""
    path = tmp_path / "saved.jpg"
    Image.new("RGB", SIZE).save(path, kind)
    damaged = bytearray(path.read_bytes())
    damaged[DAMAGED_BYTES[kind]] = bytes(len(damaged[DAMAGED_BYTES[kind]]))
    path.write_bytes(damaged)
    with pytest.raises(UnreadablePicture, match=r"saved\.jpg"):
        size_of(picture_at(path))


def test_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UnreadablePicture, match="no file"):
        size_of(picture_at(tmp_path / "pipe.png"))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePicture, match=r"gone\.png"):
        read_square(tmp_path / "gone.png", edge=64)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_picture_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.frombytes("RGB", (64, 64), random.Random(0).randbytes(64 * 64 * 3)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadablePicture, match=rf"cut\.{suffix}"):
        read_square(path, edge=64)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"damaged.{suffix}"
    halves((32, 32), RED, BLUE).save(path)
    whole, draw = path.read_bytes(), random.Random(1)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 6)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        with suppress(UnreadablePicture):
            read_square(path, edge=16)
        with suppress(UnreadablePicture):
            read_picture(picture_at(path), Placement(SIZE, SIZE, SIZE, 0, 0, Region(0, 0, 32, 32), 1.0))
