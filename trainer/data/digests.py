"""Digests of pictures' contents, remembered, so that a start need not read a hundred thousand files.

Pictures that are not encoded before training are decoded once as well, so that one that cannot be is skipped like the others.
A digest is remembered only when its file was read a while after its version was seen. A change between the two, in the same
instant as the one before, could leave a version that stands for two contents; git's index knows the same race.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from uuid import uuid4

from domain.config.buckets import Placement
from trainer.data.pictures import UnreadablePicture, digest_of_file
from trainer.data.reading import check, decoded_as
from trainer.data.sources.source import Picture

DIGESTS_FILE = "digests.json"
LOCK_FILE = "digests.lock"
MARGIN_SECONDS = 3.0
"""More than the coarsest file times (FAT: two seconds)."""

MAX_REMEMBERED = 2_000_000
UNREADABLE = "unreadable"

Entry = tuple[str, str, str]
"""Version, digest, and as what it was decoded; empty where nobody has."""


class Digests:
    """seen_at: seconds since 1970, after which no version was asked for any more."""

    def __init__(self, folder: Path, *, seen_at: float) -> None:
        self._folder = folder
        self._seen_at = seen_at
        self._remembered = _read(folder)
        self._fresh: dict[str, Entry] = {}

    def known(self, picture: Picture, *, decodes_to: Placement | None = None) -> str | None:
        """decodes_to: what it must have been seen to be decoded to."""
        version, digest, decoded = self._remembered.get(str(picture), ("", "", ""))
        is_enough = version == picture.version and (decodes_to is None or decoded == decoded_as(decodes_to))
        return digest if is_enough else None

    def of(self, picture: Picture, *, decodes_to: Placement | None = None) -> str:
        """From memory or from the file's content; the same word for all that cannot be read, or decoded where that is asked."""
        known = self.known(picture, decodes_to=decodes_to)
        if known is not None:
            return known
        is_settled = time.time() - self._seen_at > MARGIN_SECONDS
        try:
            with picture.open() as file:
                if decodes_to is None:
                    digest = digest_of_file(file)
                else:
                    content = file if decodes_to.frames else BytesIO(file.read())
                    digest = digest_of_file(content)
                    check(picture, content, decodes_to)
        except (OSError, UnreadablePicture):
            return UNREADABLE
        if is_settled:
            self._fresh[str(picture)] = (picture.version, digest, decoded_as(decodes_to) if decodes_to else "")
        return digest

    def save(self) -> None:
        """Add what is new to what others have written meanwhile."""
        if not self._fresh:
            return
        with (self._folder / LOCK_FILE).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _write(self._folder, {**_read(self._folder), **self._fresh})
        self._remembered |= self._fresh
        self._fresh = {}


def _read(folder: Path) -> dict[str, Entry]:
    """Nothing where the file is missing or not whole: then all are digested again."""
    try:
        written = json.loads((folder / DIGESTS_FILE).read_bytes())
        return {place: (version, digest, decoded) for place, (version, digest, decoded) in written.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _write(folder: Path, digests: Mapping[str, Entry]) -> None:
    """The newest, as many as may be."""
    temporary = folder / f".{DIGESTS_FILE}-{uuid4().hex}.tmp"
    try:
        temporary.write_text(json.dumps(dict(_newest(digests.items()))))
        os.replace(temporary, folder / DIGESTS_FILE)
    finally:
        temporary.unlink(missing_ok=True)


def _newest(items: Iterable[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
    return list(items)[-MAX_REMEMBERED:]
