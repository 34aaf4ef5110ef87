"""The seam between a dataset and where its pictures lie: everything that differs between folders, buckets and tables."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from domain.config.buckets import Size


class Source(ABC):
    """Names are unique in a source, written with slashes, and always the same for the same picture.

    As text, a source says where it is.
    """

    @abstractmethod
    def __str__(self) -> str: ...

    @abstractmethod
    def pictures(self) -> Iterator["Picture"]:
        """All of them, ordered by name. Raises TrainingError when there is no such place."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """The file of a picture, to be read from its beginning and sought in. Raises OSError."""

    @abstractmethod
    def read_beside(self, name: str, ending: str) -> bytes | None:
        """The file that has a picture's name with another ending, such as .txt; None when there is none."""

    def version_beside(self, name: str, ending: str) -> str | None:
        """Changes whenever what read_beside gives may have; None where that cannot be told without reading it."""
        return None

    def version_of_captions(self) -> str | None:
        """Changes whenever what captions_of gives may have; None where that cannot be told without reading it."""
        return None

    def file_of(self, name: str) -> Path | None:
        """The file on this machine that a picture is; None elsewhere."""
        return None

    def captions_of(self, name: str) -> tuple[str, ...]:
        """What the source itself says of a picture, as a column of a table does. Raises TrainingError for a broken table."""
        return ()

    def left_out(self) -> Sequence[str]:
        """What it names and cannot give, each with the reason; known when all pictures and captions were asked for."""
        return ()

    @abstractmethod
    def place_of(self, name: str) -> str:
        """Where a picture lies, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture of a source. version: changes whenever its content may have, such as its time and size, or an ETag.

    size: of the upright picture, where the source knows it without opening the file.
    """

    source: Source
    name: str
    version: str
    size: Size | None = None

    def open(self) -> BinaryIO:
        """Raises OSError."""
        return self.source.open(self.name)

    def __str__(self) -> str:
        return self.source.place_of(self.name)


def captions_in(value: Any) -> tuple[str, ...]:
    """What a field of a table or of JSON says: a caption, or a list of them."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(each.strip() for each in listed if isinstance(each, str) and each.strip())


def whole_number(value: Any) -> int | None:
    """Above 0, as a table has it in whatever form; None for anything else."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number > 0 else None


def listed(written: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Names that are written as one, as several or not at all."""
    return (written,) if isinstance(written, str) else written or ()
