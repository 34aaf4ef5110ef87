"""Which folders of this machine somebody may look into and add to, and opening one without losing sight of that.

A path is judged by where it leads when all links are followed, and then opened from its root down, one folder after the
other, without following any: what a name comes to mean between the two does not matter.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from domain.access import Resource, ResourceKind, Rights
from domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from service.browsing.names import is_hidden
from service.settings import Settings

ANYWHERE = "paths.any"
TO_BE_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
TO_GO_THROUGH = (os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC) if sys.platform == "linux" else TO_BE_READ


@dataclass(frozen=True, slots=True)
class Folder:
    """path: without any link in it. root: the allowed folder it is in, or is. can_write: files may be added."""

    path: Path
    root: Path
    can_write: bool


def list_roots(settings: Settings, rights: Rights) -> list[Folder]:
    """Where browsing begins; those that a rule keeps from somebody are left out."""
    settings.datasets.mkdir(parents=True, exist_ok=True)
    roots = dict.fromkeys(_real(each) for each in _readable_roots(settings, rights))
    return [Folder(root, root, _can_write(settings, rights, root)) for root in roots if may_name(rights, root)]


def find_folder(settings: Settings, rights: Rights, written: str, *, key: str = "path") -> Folder:
    """The folder that a path means; a relative one is below the workspace's datasets. It need not exist.

    Raises NotAllowed, InvalidInput, NotFound for a hidden one.
    """
    settings.datasets.mkdir(parents=True, exist_ok=True)
    path = _followed(settings, written, key=key)
    root = _root_of(settings, rights, path)
    if root is None:
        raise NotAllowed(
            f"{key} is {written!r:.200}, which is outside the folders that are open to you; "
            "the query directory without a path lists them",
            path=(key,),
        )
    if not may_name(rights, path):
        raise NotAllowed(f"{key} is {written!r:.200}, which a rule keeps from you", path=(key,))
    if ANYWHERE not in rights.permissions and any(is_hidden(part) for part in path.relative_to(root).parts):
        raise NotFound(f"there is no folder {written!r:.200}", path=(key,))
    return Folder(path, root, _can_write(settings, rights, path))


def find_writable_folder(settings: Settings, rights: Rights, written: str, *, key: str = "path") -> Folder:
    """Raises NotAllowed, InvalidInput, NotFound."""
    folder = find_folder(settings, rights, written, key=key)
    if not folder.can_write:
        raise NotAllowed(
            f"{key} is {written!r:.200}, where nothing is added: the examples and the workspace's own files stay as they "
            f"are; choose a folder below {settings.datasets} or a shared one",
            path=(key,),
        )
    return folder


def may_name(rights: Rights, path: Path) -> bool:
    """By the rules that also decide what a configuration may name."""
    return rights.may("config.edit", Resource(ResourceKind.PATH, str(path), rights.user_id))


def parent_of(settings: Settings, rights: Rights, folder: Folder) -> Path | None:
    """None where going up leads out of what is open."""
    parent = folder.path.parent
    is_open = parent != folder.path and _root_of(settings, rights, parent) is not None
    return parent if is_open and may_name(rights, parent) else None


def leads_inside(settings: Settings, rights: Rights, link: Path) -> bool:
    """Whether somebody may go where a link in a folder leads."""
    target = Path(os.path.realpath(link))
    return _root_of(settings, rights, target) is not None and may_name(rights, target)


@contextmanager
def opened(folder: Folder, *, key: str = "path") -> Iterator[int]:
    """The folder's descriptor, for everything that is done in it. Raises NotFound, InvalidInput."""
    try:
        place = open_below(folder)
    except OSError as error:
        raise refusal_of(error, folder.path, key=key) from error
    try:
        yield place
    finally:
        os.close(place)


def open_below(folder: Folder) -> int:
    """Raises OSError."""
    parts = folder.path.relative_to(folder.root).parts
    place = os.open(folder.root, TO_GO_THROUGH if parts else TO_BE_READ)
    for number, name in enumerate(parts, start=1):
        try:
            inner = os.open(name, TO_BE_READ if number == len(parts) else TO_GO_THROUGH, dir_fd=place)
        finally:
            os.close(place)
        place = inner
    return place


def refusal_of(error: OSError, path: Path, *, key: str) -> Refusal:
    if error.errno == errno.ENOENT:
        return NotFound(f"there is no folder {str(path)!r:.200}; make it with createFolder", path=(key,))
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return InvalidInput(f"{str(path)!r:.200} is no folder", path=(key,))
    return InvalidInput(f"the folder {str(path)!r:.200} cannot be opened: {error.strerror}", path=(key,))


def _followed(settings: Settings, written: str, *, key: str) -> Path:
    """Raises InvalidInput for what no path can be."""
    try:
        return Path(os.path.realpath(settings.datasets / written))
    except ValueError as error:
        raise InvalidInput(f"{key} is {written!r:.200}, which no path can be", path=(key,)) from error


def _root_of(settings: Settings, rights: Rights, path: Path) -> Path | None:
    """The innermost allowed folder around a path. Of the workspace, a shared folder around it opens nothing."""
    if _is_own(settings, path) and ANYWHERE not in rights.permissions:
        return None
    around = [root for root in map(_real, _readable_roots(settings, rights)) if path.is_relative_to(root)]
    return max(around, key=lambda root: len(root.parts), default=None)


def _readable_roots(settings: Settings, rights: Rights) -> list[Path]:
    roots = [settings.datasets, settings.examples / "datasets", *settings.shared_paths]
    return [*roots, Path("/")] if ANYWHERE in rights.permissions else roots


def _can_write(settings: Settings, rights: Rights, path: Path) -> bool:
    if path.is_relative_to(_real(settings.datasets)):
        return True
    if _is_own(settings, path) or path.is_relative_to(_real(settings.examples)):
        return False
    return ANYWHERE in rights.permissions or any(path.is_relative_to(_real(each)) for each in settings.shared_paths)


def _is_own(settings: Settings, path: Path) -> bool:
    """In the workspace, but not one of its datasets."""
    is_inside = any(path.is_relative_to(_real(each)) for each in (settings.workspace, settings.configs))
    return is_inside and not path.is_relative_to(_real(settings.datasets))


def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))
