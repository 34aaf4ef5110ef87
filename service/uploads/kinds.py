"""What may be uploaded: told by the name before a byte is sent, and by the content before a file is put in its place."""

import codecs
import os
from collections.abc import Callable
from enum import StrEnum
from typing import BinaryIO

from domain.config.dataset import VIDEO_ENDINGS, is_picture, is_video
from domain.errors import InvalidInput
from service.browsing.names import split_ending

MIB = 1 << 20
CHUNK_BYTES = MIB

PICTURE_FORMATS = {
    format: endings
    for format, endings in {
        "PNG": (".png",),
        "JPEG": (".jpg", ".jpeg"),
        "WEBP": (".webp",),
        "BMP": (".bmp",),
        "GIF": (".gif",),
        "TIFF": (".tif", ".tiff"),
        "AVIF": (".avif",),
    }.items()
    if any(is_picture(f"x{ending}") for ending in endings)
}
"""By Pillow's names for them: those that are trained on."""

CAPTION_ENDINGS = (".txt", ".caption")
"""Of files that say something of the one picture whose name they have."""

MAX_BYTES = {
    **{ending: 1024 * MIB for endings in PICTURE_FORMATS.values() for ending in endings},
    **dict.fromkeys(VIDEO_ENDINGS, 16384 * MIB),
    **dict.fromkeys(CAPTION_ENDINGS, MIB),
    **dict.fromkeys((".json", ".jsonl", ".csv"), 4096 * MIB),
    ".parquet": 16384 * MIB,
}
"""By ending, of those that are kept as they are."""

ARCHIVE_ENDING = ".zip"
PARQUET_MARK = b"PAR1"
WOULD_DO = (
    f"pictures ({', '.join(PICTURE_FORMATS)}), videos ({' '.join(VIDEO_ENDINGS)}), captions (.txt .caption .json .jsonl .csv .parquet) "
    "and ZIP archives of them, with extract"
)


class Kind(StrEnum):
    PICTURE = "picture"
    VIDEO = "video"
    TEXT = "text"
    PARQUET = "parquet"
    ARCHIVE = "archive"


class Unfit(Exception):
    """reason: why a file is not taken, to be put behind its name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def ending_of(name: str) -> str:
    return split_ending(name)[1].lower()


def kind_of(name: str) -> Kind | None:
    """What a file is called; None for what is not taken."""
    ending = ending_of(name)
    if ending == ARCHIVE_ENDING:
        return Kind.ARCHIVE
    if ending not in MAX_BYTES:
        return None
    if ending == ".parquet":
        return Kind.PARQUET
    if is_video(name):
        return Kind.VIDEO
    return Kind.PICTURE if is_picture(name) else Kind.TEXT


def check_offered(name: str, size_bytes: int, *, extract: bool, max_bytes: int) -> None:
    """Before anything is sent. Raises InvalidInput."""
    kind = kind_of(name)
    if kind is None:
        raise InvalidInput(f"filename is {name!r:.200}, which is not taken; {WOULD_DO} are", path=("filename",))
    if extract and kind is not Kind.ARCHIVE:
        raise InvalidInput(
            f"extract is for ZIP archives, and filename is {name!r:.200}; leave extract out", path=("extract",)
        )
    if kind is Kind.ARCHIVE and not extract:
        raise InvalidInput(
            f"filename is {name!r:.200}: archives are not kept but unpacked; set extract to true", path=("extract",)
        )
    limit = min(MAX_BYTES.get(ending_of(name), max_bytes), max_bytes)
    if size_bytes > limit:
        raise InvalidInput(
            f"sizeBytes is {size_bytes}, but {_spoken(kind, name)} has at most {limit} bytes here", path=("sizeBytes",)
        )
    if size_bytes == 0 and kind is not Kind.TEXT:
        raise InvalidInput(
            f"sizeBytes is 0, so {name!r:.200} is empty and no {kind}; choose the right file", path=("sizeBytes",)
        )


def check_content(file: BinaryIO, name: str, *, check_video: Callable[[], None]) -> None:
    """name: what the file is to be called. check_video: called where that is a video; raises Unfit. Raises Unfit, OSError."""
    kind = kind_of(name)
    size_bytes = os.fstat(file.fileno()).st_size
    if kind is None or kind is Kind.ARCHIVE:
        raise Unfit(f"is not taken; {WOULD_DO} are")
    if size_bytes > MAX_BYTES[ending_of(name)]:
        raise Unfit(f"has {size_bytes} bytes; {_spoken(kind, name)} has at most {MAX_BYTES[ending_of(name)]}")
    match kind:
        case Kind.PICTURE:
            _check_picture(file)
        case Kind.VIDEO:
            check_video()
        case Kind.TEXT:
            _check_text(file)
        case _:
            _check_parquet(file, size_bytes)


def _check_picture(file: BinaryIO) -> None:
    """The header alone; whether all of it can be read is found out by a scan."""
    from PIL import Image  # noqa: PLC0415  slow import, which a start does without

    from service.preflight.pictures import DECODING_ERRORS  # noqa: PLC0415  as above

    try:
        with Image.open(file, formats=list(PICTURE_FORMATS)) as picture:
            width, height = picture.size
    except Image.DecompressionBombError as error:
        raise Unfit("has more pixels than are opened here; scale it down") from error
    except DECODING_ERRORS as error:
        raise Unfit(f"holds no picture that can be read, whatever it is called; {_formats()} would do") from error
    if not width or not height:
        raise Unfit("holds a picture without pixels")


def _check_text(file: BinaryIO) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        chunk = file.read(CHUNK_BYTES)
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise Unfit("is not text in UTF-8; save it in that encoding") from error
        if b"\0" in chunk:
            raise Unfit("is not text: it holds zero bytes; save it as text in UTF-8")
        if not chunk:
            return


def _check_parquet(file: BinaryIO, size_bytes: int) -> None:
    mark = len(PARQUET_MARK)
    begins = file.read(mark)
    file.seek(max(0, size_bytes - mark))
    if begins != PARQUET_MARK or file.read() != PARQUET_MARK or size_bytes < 3 * mark:
        raise Unfit("is no Parquet file, or only a part of one; write it again")


def _spoken(kind: Kind, name: str) -> str:
    return "an archive" if kind is Kind.ARCHIVE else f"a file with the ending {ending_of(name)}"


def _formats() -> str:
    *others, last = PICTURE_FORMATS
    return f"{', '.join(others)} or {last}"
