"""Files that are parts of something else: objects of a bucket, members of an archive."""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import BinaryIO, cast

HEAD_BYTES = 1 << 16
"""What is read first: enough for the size of nearly every picture."""

WINDOW_BYTES = 1 << 20
AHEAD = 256
AT_ONCE = 32

Read = Callable[[int, int], bytes]
"""The bytes from the first place to just before the second. Raises OSError."""


def open_part(read: Read, size: int, *, head: bytes = b"") -> BinaryIO:
    """A picture: its beginning at once, and all the rest as soon as any of it is needed. head: what was read already."""
    return cast(BinaryIO, io.BufferedReader(_Part(read, size, head), HEAD_BYTES))


def open_window(read: Read, size: int) -> BinaryIO:
    """An archive that is read here and there, mostly forwards."""
    return cast(BinaryIO, io.BufferedReader(_Window(read, size), HEAD_BYTES))


class Ahead:
    """Beginnings of files, fetched for many at once before they are asked for."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._heads: dict[str, bytes] = {}

    def over(self, names: Iterable[str], *, beside: Callable[[str], Iterable[str]]) -> Iterator[str]:
        """The names; while one is given out, the beginning of its file is there, and those of the ones beside it."""
        rest = iter(names)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while chunk := list(islice(rest, AHEAD)):
                wanted = [each for name in chunk for each in (name, *beside(name))]
                self._heads = dict(zip(wanted, pool.map(self._try, wanted), strict=True))
                yield from chunk
        self._heads = {}

    def head(self, name: str) -> bytes:
        return self._heads.get(name, b"")

    def _try(self, name: str) -> bytes:
        """What cannot be read now is tried again when it is asked for, and told then."""
        try:
            return self._read(name)
        except OSError:
            return b""


class _Ranged(io.RawIOBase):
    def __init__(self, read: Read, size: int) -> None:
        super().__init__()
        self._read_range = read
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        end = min(self._position + len(buffer), self._size)
        piece = self._piece(self._position, end) if end > self._position else b""
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _piece(self, start: int, end: int) -> bytes:
        raise NotImplementedError


class _Part(_Ranged):
    def __init__(self, read: Read, size: int, head: bytes) -> None:
        super().__init__(read, size)
        self._content = head

    def _piece(self, start: int, end: int) -> bytes:
        there = len(self._content)
        if end > there:
            upto = min(HEAD_BYTES, self._size) if end <= HEAD_BYTES else self._size
            self._content += self._read_range(there, upto)
        return self._content[start:end]


class _Window(_Ranged):
    def __init__(self, read: Read, size: int) -> None:
        super().__init__(read, size)
        self._start = 0
        self._content = b""

    def _piece(self, start: int, end: int) -> bytes:
        if start < self._start or end > self._start + len(self._content):
            upto = min(max(end, start + WINDOW_BYTES), self._size)
            self._start, self._content = start, self._read_range(start, upto)
        return self._content[start - self._start : end - self._start]
