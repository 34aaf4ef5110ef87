"""Looking at folders of pictures and videos from the service, without opening them."""

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from domain.config.dataset import is_picture, is_video

MAX_COUNTED = 1_000_000


def scan_pictures(folder: Path, *, counts: Callable[[str], bool] = is_picture) -> Iterator["os.DirEntry[str]"]:
    """The pictures in a folder and the folders in it, or what else counts by its name; links to folders are not
    followed, hidden ones do not count.

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
                elif counts(entry.name):
                    yield entry


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def count_files(dataset: Mapping[str, Any]) -> int | None:
    """Pictures or videos of a local dataset, by its configuration; None when there is no such folder."""
    folder = str(dataset.get("instance_data_dir", ""))
    if not folder or not Path(folder).is_dir():
        return None
    kind = dataset.get("dataset_type")
    holds_videos = kind == "video" or (kind == "eval" and dataset.get("video") is not None)
    counts = is_video if holds_videos else is_picture
    return sum(1 for _ in islice(scan_pictures(Path(folder), counts=counts), MAX_COUNTED))
