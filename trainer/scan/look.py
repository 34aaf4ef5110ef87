"""One picture or video, looked at: what it is, whether it can be decoded to its last pixel, and its captions.

Everything here may be killed at any moment by what it reads; it runs in the processes of trainer.scan.crew.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from domain.config.captions import JSON_ENDING, TEXT_ENDINGS, CaptionRules
from domain.config.dataset import PICTURE_FORMATS
from trainer.data.captions import captions_of
from trainer.data.pictures import DECODING_ERRORS, ON_ITS_SIDE, orientation_of
from trainer.data.sources.links import LEADS_OUTSIDE, leads_outside
from trainer.data.sources.source import Picture
from trainer.errors import TrainingError

MAX_IN_MEMORY = 64 << 20
CHUNK = 1 << 18
DIGEST_SIZE = 16
MAX_CAPTIONS = 1000
MAX_CAPTION_CHARACTERS = 100_000
MAX_MESSAGE = 300
ANIMATIONS = frozenset({"GIF", "PNG", "WEBP"})
"""Formats whose further frames are an animation; photographs of some phones have frames of another kind."""


class Fault(StrEnum):
    """Why a picture cannot be trained on."""

    NOT_A_PICTURE = "not_a_picture"
    TRUNCATED = "truncated"
    BROKEN = "broken"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"


VIDEO_FAULTS = {
    "no_video": Fault.NOT_A_PICTURE,
    "truncated": Fault.TRUNCATED,
    "damaged": Fault.BROKEN,
    "too_large": Fault.TOO_LARGE,
}
ORIENTATIONS = {0: 1, 90: 8, 180: 3, 270: 6}
"""What EXIF calls it when frames are to be turned so far against the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """is_thorough: decode it and read it to its end. wants_captions: they may be others than those that are known."""

    name: str
    version: str
    is_thorough: bool
    wants_picture: bool
    wants_captions: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """width, height: upright. seconds: of a video. digest: of the file, None unless it was read to its end. captions:
    None when nobody asked or they cannot be read."""

    task: Task
    width: int | None = None
    height: int | None = None
    format: str | None = None
    mode: str | None = None
    orientation: int | None = None
    has_alpha: bool = False
    num_frames: int = 1
    seconds: float | None = None
    num_bytes: int | None = None
    digest: bytes | None = None
    fault: Fault | None = None
    message: str | None = None
    captions: tuple[str, ...] | None = None


def look(
    picture: Picture, rules: CaptionRules | None, task: Task, *, allowed: Sequence[Path], is_video: bool = False
) -> Findings:
    """rules: None where the dataset's own cannot be."""
    found = Findings(task=task)
    path = picture.source.file_of(picture.name)
    if task.wants_picture:
        if path is not None and leads_outside(path, allowed):
            found = replace(found, fault=Fault.OUTSIDE, message=LEADS_OUTSIDE)
        else:
            found = _look_at_video(picture, found) if is_video else _look_at_picture(picture, found)
    if task.wants_captions and (path is None or not any(leads_outside(each, allowed) for each in _beside(path))):
        found = replace(found, captions=_captions(picture, rules))
    return found


def _beside(path: Path) -> Iterator[Path]:
    return (path.with_suffix(ending) for ending in (*TEXT_ENDINGS, JSON_ENDING))


def _look_at_picture(picture: Picture, found: Findings) -> Findings:
    try:
        with picture.open() as opened:
            found, file = _take_in(opened, found)
            with Image.open(file, formats=PICTURE_FORMATS) as image:
                found = _describe(image, found)
                if found.task.is_thorough:
                    image.load()
                    found = replace(found, has_alpha=image.has_transparency_data)
    except MemoryError:
        return replace(found, fault=Fault.TOO_LARGE, message="decoding it needs more memory than one picture may take")
    except DECODING_ERRORS as error:
        return replace(found, fault=_fault_of(error, is_open=found.num_bytes is not None), message=_said(error))
    return found


def _look_at_video(video: Picture, found: Findings) -> Findings:
    from trainer.data.decoding import BrokenVideo  # noqa: PLC0415  FFmpeg, for scans of videos alone
    from trainer.data.videos import count_frames, measure  # noqa: PLC0415  as above

    try:
        with video.open() as opened:
            found, file = _take_in(opened, found)
            measured = measure(file)
            found = replace(
                found,
                width=measured.size.width,
                height=measured.size.height,
                format=measured.kind,
                mode=measured.codec,
                orientation=ORIENTATIONS[measured.turned],
                num_frames=measured.num_frames,
                seconds=measured.seconds,
            )
            if found.task.is_thorough:
                count_frames(file, measured.size)
    except MemoryError:
        return replace(found, fault=Fault.TOO_LARGE, message="decoding it needs more memory than one video may take")
    except BrokenVideo as error:
        return replace(found, fault=VIDEO_FAULTS[error.kind], message=f"it {error}"[:MAX_MESSAGE])
    except OSError as error:
        return replace(found, fault=Fault.UNREADABLE, message=_said(error))
    return found


def _take_in(opened: BinaryIO, found: Findings) -> tuple[Findings, BinaryIO]:
    """What to decode from. A file of usual size is read once; a large one stays where it is."""
    if not found.task.is_thorough:
        num_bytes = opened.seek(0, SEEK_END)
        opened.seek(0)
        return replace(found, num_bytes=num_bytes), opened
    digest, num_bytes, pieces = blake2b(digest_size=DIGEST_SIZE), 0, list[bytes]()
    while chunk := opened.read(CHUNK):
        digest.update(chunk)
        num_bytes += len(chunk)
        pieces.append(chunk)
        if num_bytes > MAX_IN_MEMORY:
            pieces.clear()
    found = replace(found, num_bytes=num_bytes, digest=digest.digest())
    if num_bytes <= MAX_IN_MEMORY:
        return found, BytesIO(b"".join(pieces))
    opened.seek(0)
    return found, opened


def _describe(image: Image.Image, found: Findings) -> Findings:
    width, height = image.size
    orientation = orientation_of(image)
    if orientation in ON_ITS_SIDE:
        width, height = height, width
    return replace(
        found,
        width=width,
        height=height,
        format=image.format,
        mode=image.mode,
        orientation=orientation,
        has_alpha=image.has_transparency_data,
        num_frames=_num_frames(image),
    )


def _num_frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) if image.format in ANIMATIONS else 1


def _captions(picture: Picture, rules: CaptionRules | None) -> tuple[str, ...] | None:
    """None when nobody can read them. Those beyond all reason are left out."""
    if rules is None:
        return None
    try:
        captions = captions_of(picture, rules)[:MAX_CAPTIONS]
    except (TrainingError, OSError, MemoryError):
        return None
    kept, num_characters = [], 0
    for caption in captions:
        num_characters += len(caption)
        if num_characters > MAX_CAPTION_CHARACTERS:
            break
        kept.append(caption)
    return tuple(kept)


def _fault_of(error: Exception, *, is_open: bool) -> Fault:
    if isinstance(error, Image.DecompressionBombError):
        return Fault.TOO_LARGE
    if isinstance(error, UnidentifiedImageError):
        return Fault.NOT_A_PICTURE
    if not is_open:
        return Fault.UNREADABLE
    return Fault.TRUNCATED if "truncated" in str(error).lower() or isinstance(error, EOFError) else Fault.BROKEN


def _said(error: Exception) -> str:
    """Without where in memory something lay, which is another place each time."""
    if isinstance(error, UnidentifiedImageError):
        return "it is no picture of a kind that is read here"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return re.sub(r"<[^>]* at 0x[0-9a-f]+>", "it", " ".join(said.split()))[:MAX_MESSAGE] or type(error).__name__
