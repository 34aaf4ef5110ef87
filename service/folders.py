"""Looking at folders of pictures from the service, without opening the pictures."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from domain.config.dataset import is_picture

MAX_COUNTED = 1_000_000


def scan_pictures(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """The pictures in a folder and the folders in it; links to folders are not followed, hidden ones do not count.

    One after the other, however many a folder holds; folders that cannot be read are passed over.
    """
    waiting = [str(folder)]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                if _is_folder(entry):
                    if not entry.name.startswith(".") and not entry.is_symlink():
                        waiting.append(entry.path)
                elif is_picture(entry.name):
                    yield entry


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def count_pictures(folder: str) -> int | None:
    """Pictures in a folder and the folders in it; None when there is no such folder."""
    if not folder or not Path(folder).is_dir():
        return None
    return sum(1 for _ in islice(scan_pictures(Path(folder)), MAX_COUNTED))
