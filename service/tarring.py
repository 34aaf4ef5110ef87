"""A folder as one .tar, made while it is read: nothing is packed, nothing is kept, and its size is known beforehand."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20
END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive. header: with its padding, as tar has it."""

    path: Path
    header: bytes
    num_bytes: int

    @property
    def padding(self) -> bytes:
        return bytes(-self.num_bytes % tarfile.BLOCKSIZE)

    @property
    def num_archive_bytes(self) -> int:
        return len(self.header) + self.num_bytes + len(self.padding)


def members_of(folder: Path) -> list[Member]:
    """The files in a folder and below, by name, under the folder's own name; links are left out, wherever they lead."""
    found = [
        Path(at, name)
        for at, _, names in os.walk(folder)
        for name in names
        if not (path := Path(at, name)).is_symlink() and path.is_file()
    ]
    return [_member(path, name=path.relative_to(folder.parent).as_posix()) for path in sorted(found)]


def num_archive_bytes(members: list[Member]) -> int:
    return sum(member.num_archive_bytes for member in members) + len(END)


def chunks_of(members: list[Member]) -> Iterator[bytes]:
    """The archive. Raises OSError when a file has become shorter: what was announced cannot be sent any more."""
    for member in members:
        yield member.header
        left = member.num_bytes
        with member.path.open("rb") as file:
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                if not chunk:
                    raise OSError(f"{member.path} became shorter while it was sent")
                left -= len(chunk)
                yield chunk
        yield member.padding
    yield END


def _member(path: Path, *, name: str) -> Member:
    status = path.stat()
    about = tarfile.TarInfo(name)
    about.size, about.mtime, about.mode = status.st_size, int(status.st_mtime), 0o644
    return Member(path, about.tobuf(tarfile.PAX_FORMAT), status.st_size)
