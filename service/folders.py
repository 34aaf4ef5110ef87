"""Looking at folders of pictures from the service, without opening the pictures."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from domain.config.dataset import is_picture

MAX_COUNTED = 1_000_000


def walk_pictures(folder: Path) -> Iterator[Path]:
    """The pictures in a folder and the folders in it; links to folders are not followed, hidden ones do not count."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if is_picture(name))


def count_pictures(folder: str) -> int | None:
    """Pictures in a folder and the folders in it; None when there is no such folder."""
    if not folder or not Path(folder).is_dir():
        return None
    return sum(1 for _ in islice(walk_pictures(Path(folder)), MAX_COUNTED))
