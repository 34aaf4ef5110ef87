"""Looking at folders of pictures from the service, without opening the pictures."""

import os
from pathlib import Path

from domain.config.dataset import is_picture

MAX_COUNTED = 1_000_000


def count_pictures(folder: str) -> int | None:
    """Pictures in a folder and the folders in it; None when there is no such folder."""
    if not folder or not Path(folder).is_dir():
        return None
    num_pictures = 0
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        num_pictures += sum(1 for name in names if is_picture(name))
        if num_pictures >= MAX_COUNTED:
            break
    return num_pictures
