"""Files into their folder: at once or not at all, and never over another file.

A second name for a finished file is what a file system gives out to one alone: whoever comes later is told that the name is
taken. Doing it again after a kill finds the very same file there, and has nothing left to do.
"""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from service.browsing.names import numbered
from service.uploads.kinds import CHUNK_BYTES, Unfit
from service.uploads.part_files import write_all

MAX_NUMBER = 1000
NO_SECOND_NAMES = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems of cameras and some of the network answer."""

WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Staged:
    """A finished file. place: a descriptor of the folder it lies in now.
    target: of the folder it goes to. name: what it shall be called there."""

    place: int
    file: str
    target: int
    name: str


@dataclass(frozen=True, slots=True)
class Placed:
    name: str
    is_duplicate: bool


def place_together(group: Sequence[Staged], *, first: int = 1) -> list[Placed]:
    """Files that belong together, such as a picture and its caption, all get the same number, the first that fits,
    from a given one on.

    A name is free, or taken by the same content, which is then kept once. Those in their own place stay there.
    Raises Unfit when no number fits, OSError.
    """
    for number in range(first, MAX_NUMBER + 1):
        placed = _try(group, number)
        if placed is not None:
            return placed
    raise Unfit(f"is the name of {MAX_NUMBER} other files here; choose another name")


def _try(group: Sequence[Staged], number: int) -> list[Placed] | None:
    made: list[Staged] = []
    placed: list[Placed] = []
    for each in group:
        name = numbered(each.name, number)
        is_own = True if _link(each, name) else _compare(each, name)
        if is_own is None:
            for other in made:
                os.unlink(numbered(other.name, number), dir_fd=other.target)
            return None
        if is_own:
            made.append(each)
        placed.append(Placed(name, is_duplicate=not is_own))
    return placed


def _link(staged: Staged, name: str) -> bool:
    """False when the name is taken. Raises OSError."""
    try:
        os.link(staged.file, name, src_dir_fd=staged.place, dst_dir_fd=staged.target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (*NO_SECOND_NAMES, errno.EXDEV):
            raise
        return _copy(staged, name)
    return True


def _copy(staged: Staged, name: str) -> bool:
    """From another disk, or where a file has one name only: under a hidden name first, so that it appears as a whole."""
    if _is_taken(staged.target, name):
        return False
    coming = f".{staged.file.lstrip('.')}.coming"
    written = os.open(coming, WRITE, 0o666, dir_fd=staged.target)
    read = os.open(staged.file, READ, dir_fd=staged.place)
    try:
        copy_bytes(read, written)
        return _name(staged.target, coming, name)
    finally:
        os.close(read)
        os.close(written)
        with suppress(FileNotFoundError):
            os.unlink(coming, dir_fd=staged.target)


def _name(place: int, coming: str, name: str) -> bool:
    try:
        os.link(coming, name, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_SECOND_NAMES:
            raise
        if _is_taken(place, name):
            return False
        os.rename(coming, name, src_dir_fd=place, dst_dir_fd=place)
    return True


def _is_taken(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def copy_bytes(read: int, written: int) -> None:
    """Until the end, and then to the disk."""
    while chunk := os.read(read, CHUNK_BYTES):
        write_all(written, chunk)
    os.fsync(written)


def _compare(staged: Staged, name: str) -> bool | None:
    """True when a name is the staged file itself, False when it is another one with the same content, else None."""
    try:
        there = os.open(name, READ, dir_fd=staged.target)
    except OSError:
        return None
    here = os.open(staged.file, READ, dir_fd=staged.place)
    try:
        status, own = os.fstat(there), os.fstat(here)
        if os.path.samestat(status, own):
            return True
        is_equal = stat.S_ISREG(status.st_mode) and status.st_size == own.st_size and _is_equal(here, there)
        return False if is_equal else None
    finally:
        os.close(here)
        os.close(there)


def _is_equal(one: int, other: int) -> bool:
    while chunk := os.read(one, CHUNK_BYTES):
        if chunk != _read_exactly(other, len(chunk)):
            return False
    return True


def _read_exactly(opened: int, num_bytes: int) -> bytes:
    found = b""
    while len(found) < num_bytes:
        chunk = os.read(opened, num_bytes - len(found))
        if not chunk:
            break
        found += chunk
    return found
