"""What is in a folder: names at once, and of a page of them what is worth knowing, without walking a whole disk for it."""

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from domain.access import ResourceKind, Rights
from domain.config.dataset import is_picture, is_video
from service.browsing.names import is_hidden
from service.browsing.reach import TO_BE_READ, Folder, leads_inside, may_name, opened
from service.settings import Settings

MAX_NAMES = 200_000
"""Of one folder; whatever is beyond is not read."""

MAX_LOOKED_AT = 200_000
"""Files and folders that are looked at to count the pictures of one page."""

MAX_DEPTH = 20


class Counts(NamedTuple):
    num_images: int = 0
    num_videos: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """counts: of a folder with the folders in it, None for a file and where there is too much to count. size_bytes: None for
    a folder."""

    name: str
    path: Path
    is_directory: bool
    counts: Counts | None
    has_dataset: bool
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Listing:
    """folder: None for the list of roots. names: folders first, then files, each in order. remarks: what is not shown."""

    folder: Folder | None
    names: list[tuple[str, bool]]
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class Allowance:
    """How much may still be looked at."""

    left: int


def list_names(settings: Settings, rights: Rights, folder: Folder) -> Listing:
    """Hidden ones are left out, and links that lead to where one may not go. Raises NotFound, InvalidInput."""
    names: list[tuple[str, bool]] = []
    num_unnamed, is_cut = 0, False
    is_narrowed = bool(rights.narrowing("config.edit", ResourceKind.PATH))
    with opened(folder) as place, os.scandir(place) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if not _is_text(entry.name):
                num_unnamed += 1
                continue
            if len(names) == MAX_NAMES:
                is_cut = True
                break
            is_directory = _is_directory(settings, rights, folder, entry)
            if is_directory is not None and (not is_narrowed or may_name(rights, folder.path / entry.name)):
                names.append((entry.name, is_directory))
    names.sort(key=lambda named: (not named[1], named[0].casefold(), named[0]))
    return Listing(folder, names, tuple(_remarks(num_unnamed, is_cut)))


def describe(folder: Folder, names: Sequence[tuple[str, bool]], dataset_folders: Collection[Path]) -> list[Entry]:
    """What is gone meanwhile is left out. Raises NotFound, InvalidInput."""
    allowance = Allowance(MAX_LOOKED_AT)
    with opened(folder) as place:
        found = [_describe(folder, place, name, dataset_folders, allowance) for name, _ in names]
    return [entry for entry in found if entry is not None]


def describe_roots(roots: Sequence[Folder], dataset_folders: Collection[Path]) -> list[Entry]:
    """Those that are there."""
    allowance = Allowance(MAX_LOOKED_AT)
    return [
        Entry(
            root.path.name or "/",
            root.path,
            True,
            _count_root(root, allowance),
            root.path in dataset_folders,
            None,
        )
        for root in roots
        if root.path.is_dir()
    ]


def _describe(
    folder: Folder, place: int, name: str, dataset_folders: Collection[Path], allowance: Allowance
) -> Entry | None:
    try:
        status = os.stat(name, dir_fd=place)
    except OSError:
        return None
    path = folder.path / name
    if not stat.S_ISDIR(status.st_mode):
        return Entry(name, path, False, None, False, status.st_size)
    has_dataset = Path(os.path.realpath(path)) in dataset_folders
    return Entry(name, path, True, _count(place, name, allowance), has_dataset, None)


def _count_root(root: Folder, allowance: Allowance) -> Counts | None:
    """Nobody wants to know of a whole disk."""
    return None if root.path == Path("/") else _count(None, str(root.path), allowance)


def _count(place: int | None, name: str, allowance: Allowance, depth: int = 0) -> Counts | None:
    """In a folder and the folders in it; None when that would take too long, or it cannot be read."""
    try:
        inner = os.open(name, TO_BE_READ, dir_fd=place)
    except OSError:
        return None
    num_images = num_videos = 0
    try:
        with os.scandir(inner) as entries:
            for entry in entries:
                allowance.left -= 1
                if allowance.left < 0 or depth == MAX_DEPTH:
                    return None
                if is_picture(entry.name):
                    num_images += 1
                elif is_video(entry.name):
                    num_videos += 1
                elif not is_hidden(entry.name) and entry.is_dir(follow_symlinks=False):
                    below = _count(inner, entry.name, allowance, depth + 1)
                    if below is None:
                        return None
                    num_images += below.num_images
                    num_videos += below.num_videos
    except OSError:
        return None
    finally:
        os.close(inner)
    return Counts(num_images, num_videos)


def _is_directory(settings: Settings, rights: Rights, folder: Folder, entry: "os.DirEntry[str]") -> bool | None:
    """None for what is neither file nor folder, and for links that lead nowhere or out of what is open."""
    try:
        if entry.is_symlink() and not leads_inside(settings, rights, folder.path / entry.name):
            return None
        if entry.is_dir():
            return True
        return False if entry.is_file() else None
    except OSError:
        return None


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _remarks(num_unnamed: int, is_cut: bool) -> list[str]:
    remarks = []
    if num_unnamed:
        remarks.append(f"{num_unnamed} of its names are not UTF-8 and cannot be shown; rename those files to use them")
    if is_cut:
        remarks.append(f"it holds more than {MAX_NAMES:,} files and folders; only so many were read")
    return remarks
