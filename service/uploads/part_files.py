"""What has come of an upload so far: one growing file each, whose size is the offset, whatever dies when."""

import errno
import os
from pathlib import Path
from uuid import UUID

ENDING = ".part"
RESERVED_BYTES = 256 << 20
"""What uploads leave free on a disk: the database and runs need some."""

FULL = (errno.ENOSPC, errno.EDQUOT)


class NoSpace(Exception):
    """Said to the client; what has come stays, and it can go on when there is room again."""


class PartFiles:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, upload_id: UUID) -> Path:
        return self.folder / f"{upload_id.hex}{ENDING}"

    def offset(self, upload_id: UUID) -> int:
        try:
            return self.path(upload_id).stat().st_size
        except FileNotFoundError:
            return 0

    def open(self, upload_id: UUID) -> int:
        """To append to. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return os.open(self.path(upload_id), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)

    def close(self, opened: int) -> None:
        """On the disk, whatever happens to the machine."""
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def truncate(self, upload_id: UUID, size_bytes: int) -> None:
        if self.path(upload_id).exists():
            os.truncate(self.path(upload_id), size_bytes)

    def remove(self, upload_id: UUID) -> None:
        self.path(upload_id).unlink(missing_ok=True)

    def ids(self) -> list[UUID]:
        """Of those that are there."""
        names = [path.stem for path in self.folder.glob(f"*{ENDING}")]
        return [UUID(hex=name) for name in names if len(name) == 32 and set(name) <= set("0123456789abcdef")]

    def free_bytes(self) -> int:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return room_in(self.folder)


def room_in(folder: Path | int) -> int:
    """What uploads may take of its disk. folder: a path or a descriptor."""
    status = os.statvfs(folder)
    return max(0, status.f_bavail * status.f_frsize - RESERVED_BYTES)


def append(opened: int, content: bytes, *, folder: Path) -> None:
    """All of it, or as much as fits. Raises NoSpace, OSError."""
    if room_in(folder) < len(content):
        raise NoSpace
    try:
        write_all(opened, content)
    except OSError as error:
        if error.errno in FULL:
            raise NoSpace from error
        raise


def write_all(opened: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(opened, view) :]
