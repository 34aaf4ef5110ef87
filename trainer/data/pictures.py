"""From an image file to the square RGB picture that is trained on."""

from pathlib import Path

from PIL import Image, ImageOps

DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for files that are no pictures, cut short or damaged."""


class UnreadablePicture(Exception):
    """The message names the file and says why."""


def read_picture(path: Path, *, edge: int) -> Image.Image:
    """The picture upright, in RGB on white, its centred square scaled to edge × edge pixels.

    Raises UnreadablePicture.
    """
    try:
        with Image.open(path) as file:
            picture = to_rgb(ImageOps.exif_transpose(file))
    except DECODING_ERRORS as error:
        raise UnreadablePicture(f"{path} cannot be read as a picture: {' '.join(str(error).split())}") from error
    return cut_square(picture, edge=edge)


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB; transparency becomes white, 16 bits become 8."""
    if picture.mode.startswith("I"):
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("RGB")


def cut_square(picture: Image.Image, *, edge: int) -> Image.Image:
    """The largest centred square, scaled to edge × edge."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    return square.resize((edge, edge), Image.Resampling.LANCZOS)
