"""Digests of pictures' contents, remembered, so that a start need not read a hundred thousand files.

A digest is remembered only when its file was read a while after its version was seen. A change between the two, in the same
instant as the one before, could leave a version that stands for two contents; git's index knows the same race.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from uuid import uuid4

from trainer.data.pictures import digest_of_file
from trainer.data.sources.source import Picture

DIGESTS_FILE = "digests.json"
LOCK_FILE = "digests.lock"
MARGIN_SECONDS = 3.0
"""More than the coarsest file times (FAT: two seconds)."""

MAX_REMEMBERED = 2_000_000
UNREADABLE = "unreadable"


class Digests:
    """seen_at: seconds since 1970, after which no version was asked for any more."""

    def __init__(self, folder: Path, *, seen_at: float) -> None:
        self._folder = folder
        self._seen_at = seen_at
        self._remembered = _read(folder)
        self._fresh: dict[str, tuple[str, str]] = {}

    def known(self, picture: Picture) -> str | None:
        version, digest = self._remembered.get(str(picture), ("", ""))
        return digest if version == picture.version else None

    def of(self, picture: Picture) -> str:
        """From memory or from the file's content; the same word for all that cannot be read."""
        known = self.known(picture)
        if known is not None:
            return known
        is_settled = time.time() - self._seen_at > MARGIN_SECONDS
        try:
            with picture.open() as file:
                digest = digest_of_file(file)
        except OSError:
            return UNREADABLE
        if is_settled:
            self._fresh[str(picture)] = (picture.version, digest)
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


def _read(folder: Path) -> dict[str, tuple[str, str]]:
    """Nothing where the file is missing or not whole: then all are digested again."""
    try:
        written = json.loads((folder / DIGESTS_FILE).read_bytes())
        return {place: (version, digest) for place, (version, digest) in written.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _write(folder: Path, digests: Mapping[str, tuple[str, str]]) -> None:
    """The newest, as many as may be."""
    temporary = folder / f".{DIGESTS_FILE}-{uuid4().hex}.tmp"
    try:
        temporary.write_text(json.dumps(dict(_newest(digests.items()))))
        os.replace(temporary, folder / DIGESTS_FILE)
    finally:
        temporary.unlink(missing_ok=True)


def _newest(items: Iterable[tuple[str, tuple[str, str]]]) -> list[tuple[str, tuple[str, str]]]:
    return list(items)[-MAX_REMEMBERED:]
