"""A folder on this machine."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from domain.config.dataset import is_picture
from trainer.data.sources.links import LEADS_OUTSIDE, leads_outside
from trainer.data.sources.metadata import Metadata, is_metadata, read_metadata
from trainer.data.sources.source import Picture, Source
from trainer.errors import TrainingError


class LocalFolder(Source):
    """The pictures in a folder and those below it; hidden files and folders do not count, links to folders neither."""

    def __init__(
        self,
        folder: Path,
        *,
        dataset: str,
        link_folders: Sequence[Path] | None = None,
        counts: Callable[[str], bool] = is_picture,
    ) -> None:
        """link_folders: see trainer.data.sources.links. counts: whether a file of that name is one of the pictures."""
        self._folder = folder
        self._counts = counts
        self._link_folders = link_folders
        self._dataset = dataset
        self._metadata: Metadata | None = None
        self._tables: list[str] | None = None

    def __str__(self) -> str:
        return f"the folder {self._folder}"

    def pictures(self) -> Iterator[Picture]:
        if not self._folder.is_dir():
            raise TrainingError(
                f"the folder {self._folder} of dataset {self._dataset!r} does not exist; correct its instance_data_dir"
            )
        for name in self._picture_names():
            yield self.picture(name)

    def picture(self, name: str) -> Picture:
        return Picture(source=self, name=name, version=self._version(name))

    def open(self, name: str) -> BinaryIO:
        path = self._folder / name
        if not path.is_file():  # opening a pipe would wait for somebody to write into it
            raise OSError("it is no file")
        if leads_outside(path, self._link_folders):
            raise OSError(LEADS_OUTSIDE)
        return path.open("rb")

    def read_beside(self, name: str, ending: str) -> bytes | None:
        path = (self._folder / name).with_suffix(ending)
        return path.read_bytes() if path.is_file() and not leads_outside(path, self._link_folders) else None

    def version_beside(self, name: str, ending: str) -> str | None:
        return self._version(str(PurePosixPath(name).with_suffix(ending)))

    def version_of_captions(self) -> str | None:
        if self._tables is None:
            self._tables = self._table_names()
        return ",".join(f"{name}:{self._version(name)}" for name in self._tables)

    def file_of(self, name: str) -> Path | None:
        return self._folder / name

    def captions_of(self, name: str) -> tuple[str, ...]:
        if self._metadata is None:
            self._metadata = self._read_metadata()
        return self._metadata.of(name)

    def left_out(self) -> Sequence[str]:
        return self._metadata.left_out if self._metadata is not None else ()

    def place_of(self, name: str) -> str:
        return str(self._folder / name)

    def _read_metadata(self) -> Metadata:
        return read_metadata(self, tables=self._table_names(), pictures=self._picture_names())

    def _picture_names(self) -> list[str]:
        return sorted(name for name in self._names() if self._counts(PurePosixPath(name).name))

    def _table_names(self) -> list[str]:
        """One that is a link could bring captions of pictures that somebody else keeps elsewhere."""
        return sorted(name for name in self._names() if is_metadata(name) and not (self._folder / name).is_symlink())

    def _names(self) -> Iterator[str]:
        for parent, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            within = PurePosixPath(Path(parent).relative_to(self._folder).as_posix())
            yield from ((within / name).as_posix() for name in files)

    def _version(self, name: str) -> str:
        try:
            status = (self._folder / name).stat()
        except OSError:
            return "missing"
        return f"{status.st_mtime_ns}-{status.st_size}" if stat.S_ISREG(status.st_mode) else "no file"
