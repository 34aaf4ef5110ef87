"""Folders of environments that change their name or go: moved, never removed, never put over another one."""

import logging
import os
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from service.json_files import free_name, time_in_name

log = logging.getLogger(__name__)

DELETED = ".deleted"
MAX_NAME_BYTES = 200
"""Most file systems allow 255."""


class NameOccupied(Exception):
    """Another folder has the name, and it is not going to move."""


def put_away(root: Path, folder: str) -> None:
    """Into a folder of what was deleted, with the time. Nothing happens when it is gone. Raises OSError."""
    source = root / folder
    if not os.path.lexists(source):
        return
    (root / DELETED).mkdir(exist_ok=True)
    target = free_name(root / DELETED, f"{_shortened(folder)}-{time_in_name()}")
    os.rename(source, root / DELETED / target)
    log.info("folder=%s moved to=%s", source, root / DELETED / target)


def _shortened(name: str) -> str:
    """So that there is room for the time behind it."""
    while len(os.fsencode(name)) > MAX_NAME_BYTES:
        name = name[:-1]
    return name


def rename_folder(root: Path, environment_id: UUID, old: str, new: str, *, moving: Collection[str]) -> str:
    """Where the folder is now: at its new name, or aside for a moment, when the folder there is about to move itself.

    moving: folders that are not where they belong. Coming back after having been killed on the way finds the folder.
    Raises NameOccupied, OSError.
    """
    source, target, aside = root / old, root / new, root / f".moving-{environment_id}"
    if not os.path.lexists(source) and os.path.lexists(aside):
        source = aside
    if os.path.lexists(target) and not _is_same(source, target):
        if new in moving:
            if source != aside and os.path.lexists(source):
                os.rename(source, aside)
            return aside.name
        if os.path.lexists(source):
            raise NameOccupied(new)
        return new
    if os.path.lexists(source):
        os.rename(source, target)
        log.info("folder=%s renamed to=%s", source, target)
    return new


def _is_same(one: Path, other: Path) -> bool:
    """Also by another spelling, where the file system does not distinguish cases."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
