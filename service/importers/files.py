"""Where imported files come from: a folder of this machine, or what a browser picked or pasted."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from domain.errors import InvalidInput
from service.importers.parsing import MAX_BYTES

MAX_FILES = 500
MAX_FOLDERS = 2_000
MAX_DEPTH = 6
MAX_LISTED = 1_000
MAX_NEIGHBOURS = 100
MAX_PATH = 4_000
MAX_FILE_NAME = 255
ENDINGS = frozenset({".json", ".toml", ".yaml", ".yml", ".sh", ".bash", ".env", ".txt", ".bat", ".ps1", ".md"})
"""What is looked into when a folder is walked; what is in a file is told by its content."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """name: as people know it. folder: where its relative paths begin; None when it came without a place."""

    name: str
    content: bytes
    folder: Path | None = None

    @property
    def stem(self) -> str:
        return os.path.splitext(base_name(self.name))[0]

    @property
    def parent_name(self) -> str:
        parts = self.name.replace("\\", "/").split("/")
        return parts[-2] if len(parts) > 1 else (self.folder.name if self.folder else "")


class Files(Protocol):
    def find(self, written: str, *, beside: SourceFile) -> SourceFile | None:
        """The file that another one names, if it is at hand and may be read."""

    def place(self, written: str, *, beside: SourceFile) -> Path | None:
        """Where a path in a file leads, if something is there that may be read."""

    def neighbours(self, beside: SourceFile) -> Iterable[SourceFile]:
        """Other files that came with it, or that are in its folder."""


class PickedFiles:
    """By their names alone: what they name is found when it was picked as well."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self.files = tuple(files)

    def find(self, written: str, *, beside: SourceFile) -> SourceFile | None:
        wanted = base_name(written)
        found = [each for each in self.files if base_name(each.name) == wanted and each is not beside]
        near = [each for each in found if each.parent_name == beside.parent_name]
        return next(iter(near or found), None)

    def place(self, written: str, *, beside: SourceFile) -> Path | None:
        return None

    def neighbours(self, beside: SourceFile) -> list[SourceFile]:
        return [each for each in self.files if each is not beside]


class FolderFiles:
    """Files of this machine, beginning with a folder. Links are followed before anything is decided.

    may_read: files that are read, in the folder and elsewhere. may_look: places that are looked for.
    """

    def __init__(
        self, root: Path, *, may_read: Callable[[Path], bool], may_look: Callable[[Path], bool] | None = None
    ) -> None:
        self._root = Path(os.path.realpath(root))
        self._may_read = may_read
        self._may_look = may_look or may_read

    def walk(self) -> Iterator[SourceFile]:
        """In alphabetical order, bounded. Raises InvalidInput when there is too much."""
        if not self._root.is_dir():
            found = self._read(self._root, name=self._root.name)
            if found is not None:
                yield found
            return
        num_files = num_folders = 0
        for folder, folders, names in os.walk(self._root):
            depth = len(Path(folder).relative_to(self._root).parts)
            num_folders += 1
            folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < MAX_DEPTH else []
            for name in sorted(names):
                path = Path(folder, name)
                if name.startswith(".") or path.suffix.lower() not in ENDINGS or not self._is_inside(path):
                    continue
                num_files += 1
                if num_files > MAX_FILES or num_folders > MAX_FOLDERS:
                    raise InvalidInput(
                        f"there are more than {MAX_FILES} files below {self._root}; name the folder of the configuration",
                        path=("path",),
                    )
                found = self._read(path, name=path.relative_to(self._root).as_posix())
                if found is not None:
                    yield found

    def find(self, written: str, *, beside: SourceFile) -> SourceFile | None:
        for path in (*self._candidates(written, beside), *self._by_name(written, beside)):
            found = self._read(path, name=self._shown(path))
            if found is not None:
                return found
        return None

    def place(self, written: str, *, beside: SourceFile) -> Path | None:
        for path in self._candidates(written, beside):
            try:
                if self._may_look(Path(os.path.realpath(path))) and path.exists():
                    return path
            except OSError:
                continue
        return None

    def neighbours(self, beside: SourceFile) -> Iterator[SourceFile]:
        if beside.folder is None:
            return
        for path in sorted(beside.folder.iterdir())[:MAX_NEIGHBOURS]:
            if path.suffix.lower() in ENDINGS and path.name != base_name(beside.name):
                found = self._read(path, name=self._shown(path))
                if found is not None:
                    yield found

    def _candidates(self, written: str, beside: SourceFile) -> Iterator[Path]:
        """As written, and from the folder of the file and those above it, up to where a tool may have been started."""
        if not written.strip() or "\0" in written or len(written) > MAX_PATH:
            return
        path = Path(os.path.expanduser(written))
        if path.is_absolute() or beside.folder is None:
            yield path
            return
        yield beside.folder / path
        for above in beside.folder.parents:
            if above == self._root.parent or above.is_relative_to(self._root):
                yield above / path

    def _by_name(self, written: str, beside: SourceFile) -> Iterator[Path]:
        name = base_name(written)
        if beside.folder is not None and 0 < len(name) < MAX_FILE_NAME and "\0" not in name:
            yield beside.folder / name

    def _is_inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self._root)

    def _shown(self, path: Path) -> str:
        real = Path(os.path.realpath(path))
        return real.relative_to(self._root).as_posix() if real.is_relative_to(self._root) else real.name

    def _read(self, path: Path, *, name: str) -> SourceFile | None:
        """One byte more than allowed is enough to tell that it is too large; pipes and devices are left alone."""
        try:
            if not self._may_read(Path(os.path.realpath(path))) or not path.is_file():
                return None
            with path.open("rb") as file:
                return SourceFile(name, file.read(MAX_BYTES + 1), path.parent)
        except OSError:
            return None


def base_name(written: str) -> str:
    """Of a path as Windows or anything else writes it."""
    return written.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def list_folders(path: Path) -> list[str]:
    """Names of the folders in a folder, in alphabetical order; none when it cannot be read."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry, _ in zip(entries, range(MAX_LISTED), strict=False) if entry.is_dir())
    except OSError:
        return []
