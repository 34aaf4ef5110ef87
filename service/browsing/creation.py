"""New folders."""

import errno
import os
from pathlib import Path

from domain.access import Rights
from domain.errors import InvalidInput, NameTaken
from service.browsing.names import checked_name
from service.browsing.reach import Folder, find_writable_folder, opened
from service.settings import Settings

MAX_NEW = 20


def plan_folder(settings: Settings, rights: Rights, written: str, name: str | None) -> Folder:
    """The folder to be made: the path itself, or one of the given name in it. Folders above it are made as well.

    Raises NotAllowed, InvalidInput, NotFound, NameTaken.
    """
    if name is not None:
        inside = find_writable_folder(settings, rights, written)
        below = str(inside.path / checked_name(name, key="name"))
        folder = find_writable_folder(settings, rights, below, key="name")
    else:
        folder = find_writable_folder(settings, rights, written)
    for part in _missing(folder):
        if checked_name(part, key="path") != part:
            raise InvalidInput(f"path names a folder {part!r:.200}; write it without spaces around it", path=("path",))
    if os.path.lexists(folder.path):
        raise NameTaken(
            f"there is {str(folder.path)!r:.200} already; use it or choose another name",
            path=("path" if name is None else "name",),
        )
    return folder


def make_folder(folder: Folder) -> None:
    """Nothing happens when it is there by now. Raises NotFound, InvalidInput."""
    missing = _missing(folder)
    if len(missing) > MAX_NEW:
        raise InvalidInput(f"path would make {len(missing)} folders at once; at most {MAX_NEW}", path=("path",))
    above = folder.path
    for _ in missing:
        above = above.parent
    for name in missing:
        with opened(Folder(above, folder.root, True)) as place:
            _make(place, name, above)
        above = above / name


def _make(place: int, name: str, above: Path) -> None:
    try:
        os.mkdir(name, dir_fd=place)
        os.fsync(place)
    except FileExistsError:
        return
    except OSError as error:
        raise InvalidInput(f"no folder can be made in {str(above)!r:.200}: {spoken(error)}", path=("path",)) from error


def spoken(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return f"{error.strerror}; give the service's user the right to write there"
    return error.strerror or str(error)


def _missing(folder: Folder) -> list[str]:
    """Its own name and those above it that are not there yet, outermost first."""
    missing: list[str] = []
    path = folder.path
    while path != folder.root and not os.path.lexists(path):
        missing.insert(0, path.name)
        path = path.parent
    return missing
