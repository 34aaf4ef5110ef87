"""From an image file to the upright RGB picture that is trained on, cut and scaled to its aspect bucket."""

import struct
from hashlib import blake2b
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from domain.config.buckets import Placement, Size
from domain.config.dataset import PICTURE_FORMATS
from trainer.data.sources.source import Picture

DECODING_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error),
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are no pictures, cut short or damaged."""

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the orientation that the camera noted (EXIF 2.32, section 4.6.4)."""

ON_ITS_SIDE = frozenset({5, 6, 7, 8})


class UnreadablePicture(Exception):
    """The message names the file and says why."""


def size_of(picture: Picture) -> Size:
    """Of the upright picture, from the beginning of the file. Raises UnreadablePicture."""
    try:
        with picture.open() as opened, Image.open(opened, formats=PICTURE_FORMATS) as file:
            width, height = file.size
            return Size(height, width) if orientation_of(file) in ON_ITS_SIDE else Size(width, height)
    except DECODING_ERRORS as error:
        raise _unreadable(picture, error) from error


def digest_of_file(file: BinaryIO) -> str:
    digest = blake2b(digest_size=16)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def read_picture(picture: Picture, placement: Placement, *, digest: str | None = None) -> Image.Image:
    """The picture upright, in RGB on white, the placement's region of it scaled to its target.

    Raises UnreadablePicture, also for one that has another size than it was placed by, or another digest than the given.
    """
    try:
        with picture.open() as opened:
            content = BytesIO(opened.read())
        if digest is not None and digest_of_file(content) != digest:
            raise UnreadablePicture(f"{picture} was changed while it was looked at")
    except OSError as error:
        raise _unreadable(picture, error) from error
    upright = decode(picture, content, size=placement.original)
    return upright.crop(placement.region).resize(placement.target, Image.Resampling.LANCZOS)


def decode(picture: Picture, content: BinaryIO, *, size: Size) -> Image.Image:
    """content: of the picture, read from its beginning. Upright and in RGB. Raises UnreadablePicture, also for another size."""
    content.seek(0)
    try:
        with Image.open(content, formats=PICTURE_FORMATS) as file:
            orientation = orientation_of(file)
            file.load()
            upright = to_rgb(file.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else file)
    except DECODING_ERRORS as error:
        raise _unreadable(picture, error) from error
    if upright.size != size:
        raise UnreadablePicture(f"{picture} was {size} pixels and is {Size(*upright.size)} now")
    return upright


def orientation_of(file: Image.Image) -> int:
    """As the beginning of the file tells it: PNG's own method decodes all pixels to look for it behind them."""
    orientation: int = Image.Image.getexif(file).get(ORIENTATION, 1)
    return orientation


def _unreadable(picture: Picture, error: Exception) -> UnreadablePicture:
    return UnreadablePicture(f"{picture} cannot be read as a picture: {' '.join(str(error).split())}")


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB; transparency becomes white, 16 bits become 8."""
    if picture.mode.startswith("I"):
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("RGB")
