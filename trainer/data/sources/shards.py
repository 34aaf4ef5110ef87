"""Tar archives with pictures and their captions side by side, as WebDataset has them; read in place, not unpacked.

An index of where each member lies is made at the start. A picture is named by its archive and its name in that.
"""

import os
import posixpath
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from domain.config.captions import JSON_ENDING, TEXT_ENDINGS
from domain.config.dataset import is_picture
from trainer.data.sources.links import LEADS_OUTSIDE, leads_outside
from trainer.data.sources.ranges import HEAD_BYTES, Ahead, open_part, open_window
from trainer.data.sources.source import Picture, Source
from trainer.data.sources.tables import name_in
from trainer.errors import TrainingError

SHARD_ENDING = ".tar"
SHARDS_AT_ONCE = 8
MAX_CAPTION_BYTES = 1 << 20


class Shelf(ABC):
    """Where archives are."""

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def shards(self) -> Mapping[str, tuple[int, str]]:
        """By name, ordered: its size in bytes and its version. Raises TrainingError."""

    @abstractmethod
    def read(self, shard: str, start: int, end: int) -> bytes:
        """Raises OSError."""

    @property
    @abstractmethod
    def is_far(self) -> bool:
        """Whether each reading takes so long that several should be under way."""


class LocalShelf(Shelf):
    """A folder with archives, one of them, or a pattern of their names."""

    def __init__(self, written: str, *, dataset: str, link_folders: Sequence[Path] | None = None) -> None:
        """link_folders: see trainer.data.sources.links. One that is named itself may be a link to anywhere."""
        path = Path(written)
        self._link_folders = None if path.is_file() else link_folders
        self._written = written
        self._dataset = dataset
        self._folder, self._pattern = (path, f"*{SHARD_ENDING}") if path.is_dir() else (path.parent, path.name)

    def __str__(self) -> str:
        return str(self._folder)

    @property
    def is_far(self) -> bool:
        return False

    def shards(self) -> Mapping[str, tuple[int, str]]:
        found = sorted(path for path in self._folder.glob(self._pattern) if path.is_file())
        if not found:
            raise TrainingError(
                f"dataset {self._dataset!r}: source is {self._written}, where there is no {SHARD_ENDING} archive; correct it"
            )
        return {path.name: (path.stat().st_size, str(path.stat().st_mtime_ns)) for path in found}

    def read(self, shard: str, start: int, end: int) -> bytes:
        path = self._folder / shard
        if leads_outside(path, self._link_folders):
            raise OSError(LEADS_OUTSIDE)
        with path.open("rb") as file:
            return os.pread(file.fileno(), end - start, start)


@dataclass(frozen=True, slots=True)
class Member:
    shard: str
    start: int
    size: int


@dataclass(slots=True)
class Index:
    members: dict[str, Member] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


class Shards(Source):
    def __init__(self, shelf: Shelf, *, dataset: str, counts: Callable[[str], bool] = is_picture) -> None:
        """counts: as in LocalFolder."""
        self._shelf = shelf
        self._counts = counts
        self._dataset = dataset
        self._ahead = Ahead(self._head_of)

    def __str__(self) -> str:
        return str(self._shelf)

    def pictures(self) -> Iterator[Picture]:
        names = sorted(name for name in self._index.members if self._counts(posixpath.basename(name)))
        yield from map(self.picture, self._ahead.over(names, beside=self._beside) if self._shelf.is_far else names)

    def picture(self, name: str) -> Picture:
        member = self._index.members[name]
        _, version = self._shards[member.shard]
        return Picture(source=self, name=name, version=f"{version}-{member.start}-{member.size}")

    def open(self, name: str) -> BinaryIO:
        member = self._index.members[name]
        return open_part(
            lambda start, end: self._shelf.read(member.shard, member.start + start, member.start + end),
            member.size,
            head=self._ahead.head(name),
        )

    def read_beside(self, name: str, ending: str) -> bytes | None:
        """The member of the same key, which ends before the first dot of a name; or with another ending alone."""
        beside = next((each for each in _names_beside(name, (ending,)) if each in self._index.members), None)
        if beside is None:
            return None
        try:
            with self.open(beside) as file:
                return file.read(MAX_CAPTION_BYTES)
        except OSError as error:
            raise TrainingError(
                f"dataset {self._dataset!r}: {self.place_of(beside)} cannot be read: {error}"
            ) from error

    def left_out(self) -> Sequence[str]:
        return self._index.left_out

    def place_of(self, name: str) -> str:
        return f"{self._shelf}/{name}"

    @cached_property
    def _shards(self) -> Mapping[str, tuple[int, str]]:
        return self._shelf.shards()

    @cached_property
    def _index(self) -> Index:
        index = Index()
        with ThreadPoolExecutor(SHARDS_AT_ONCE if self._shelf.is_far else 1) as pool:
            for part in pool.map(self._index_of, self._shards):
                index.members |= part.members
                index.left_out += part.left_out
        return index

    def _index_of(self, shard: str) -> Index:
        index = Index()
        size, _ = self._shards[shard]
        place = f"{self._shelf}/{shard}"
        try:
            with (
                open_window(lambda start, end: self._shelf.read(shard, start, end), size) as file,
                tarfile.open(fileobj=file, mode="r:") as archive,
            ):
                while (member := archive.next()) is not None:
                    self._add(index, member, shard=shard, shard_size=size)
                    archive.members = []  # type: ignore[attr-defined]  # it would keep all that were read
                end: int = archive.offset
                file.seek(end)
                if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                    index.left_out.append(f"{place} is damaged from byte {end} on; what comes behind that is lost")
        except (tarfile.TarError, OSError, ValueError, EOFError) as error:
            index.left_out.append(f"{place} is not whole or no {SHARD_ENDING} archive: {' '.join(str(error).split())}")
        return index

    def _add(self, index: Index, member: tarfile.TarInfo, *, shard: str, shard_size: int) -> None:
        matters = self._counts(posixpath.basename(member.name))
        if member.isdir() or not (matters or member.name.lower().endswith((*TEXT_ENDINGS, JSON_ENDING))):
            return
        within = name_in("", member.name)
        name = f"{shard}/{within}"
        if within is None or within != member.name.removeprefix("./"):
            reason = "is no place in an archive"
        elif not member.isreg() or member.issparse():
            reason = "is no plain file"
        elif member.offset_data + member.size > shard_size:
            reason = "is cut short"
        elif name in index.members:
            reason = "is there more than once"
        else:
            index.members[name] = Member(shard, member.offset_data, member.size)
            return
        index.left_out.append(f"{member.name!r:.200} in {self._shelf}/{shard} {reason}")

    def _beside(self, name: str) -> Iterator[str]:
        named = dict.fromkeys(_names_beside(name, (*TEXT_ENDINGS, JSON_ENDING)))
        return (each for each in named if each in self._index.members)

    def _head_of(self, name: str) -> bytes:
        member = self._index.members[name]
        return self._shelf.read(member.shard, member.start, member.start + min(HEAD_BYTES, member.size))


def _names_beside(name: str, endings: Sequence[str]) -> Iterator[str]:
    folder, base = posixpath.split(name)
    stem, key = posixpath.splitext(name)[0], posixpath.join(folder, base.partition(".")[0])
    return (each + ending for ending in endings for each in (stem, key))
