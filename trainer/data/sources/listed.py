"""A folder with a table that has captions and sizes of its pictures."""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from domain.config.buckets import Size
from domain.config.dataset import PICTURE_ENDINGS, VIDEO_ENDINGS
from domain.config.parts.dataset_source import PictureTable
from trainer.data.sources.local import LocalFolder
from trainer.data.sources.source import Picture, Source, captions_in, listed, whole_number
from trainer.data.sources.tables import Row, check_columns, name_in, open_table, read_rows, same_name


@dataclass(frozen=True, slots=True)
class Entry:
    captions: tuple[str, ...]
    size: Size | None


class ListedFolder(Source):
    def __init__(self, folder: LocalFolder, table: PictureTable, *, lists_all: bool, dataset: str) -> None:
        """lists_all: a picture that is not in the table is left out; its sizes count."""
        self._folder = folder
        self._table = table
        self._lists_all = lists_all
        self._dataset = dataset
        self._left_out: list[str] = []

    def __str__(self) -> str:
        return str(self._folder)

    def pictures(self) -> Iterator[Picture]:
        open_rows = dict.fromkeys(self._entries)
        for picture in self._folder.pictures():
            key = self._key(picture.name)
            open_rows.pop(key, None)
            entry = self._entries.get(key)
            if entry is not None:
                yield replace(picture, source=self, size=entry.size if self._lists_all else None)
            elif self._lists_all:
                self._left_out.append(f"{picture} is not in the table {self._table.path}")
            else:
                yield replace(picture, source=self)
        self._left_out += [f"{key!r:.200} in the table {self._table.path} is not in the folder" for key in open_rows]

    def open(self, name: str) -> BinaryIO:
        return self._folder.open(name)

    def read_beside(self, name: str, ending: str) -> bytes | None:
        return self._folder.read_beside(name, ending)

    def file_of(self, name: str) -> Path | None:
        return self._folder.file_of(name)

    def captions_of(self, name: str) -> tuple[str, ...]:
        entry = self._entries.get(self._key(name))
        return entry.captions if entry else ()

    def left_out(self) -> Sequence[str]:
        return self._left_out

    def place_of(self, name: str) -> str:
        return self._folder.place_of(name)

    def _key(self, name: str) -> str:
        plain = same_name(name)
        return plain if self._table.identifier_includes_extension else posixpath.splitext(plain)[0]

    @cached_property
    def _entries(self) -> Mapping[str, Entry]:
        """By what names a picture in the table; a later row stands for an earlier one."""
        return dict(self._read())

    def _read(self) -> Iterator[tuple[str, Entry]]:
        table = self._table
        captions = listed(table.caption_column)
        columns = [
            table.filename_column,
            *captions,
            *(each for each in (table.fallback_caption_column, table.width_column, table.height_column) if each),
        ]
        root = self._folder.place_of("").rstrip("/") + "/"
        with open_table(table.path, option="parquet.path", dataset=self._dataset) as file:
            for number, row in enumerate(read_rows(file, table.path, columns=columns), start=1):
                if number == 1:
                    check_columns(row, [table.filename_column, *captions], table.path, dataset=self._dataset)
                written = str(row.get(table.filename_column) or "")
                name = name_in("", written.removeprefix(root))
                if name is None:
                    self._left_out.append(f"row {number} of {table.path}: {written!r:.200} is no place in the folder")
                else:
                    yield self._key_of(name), Entry(_captions_in(row, captions, table), _size_in(row, table))

    def _key_of(self, name: str) -> str:
        """The table may write the ending although it need not."""
        stem, ending = posixpath.splitext(name)
        is_ending = ending.lower() in (*PICTURE_ENDINGS, *VIDEO_ENDINGS)
        return same_name(stem if is_ending and not self._table.identifier_includes_extension else name)


def _captions_in(row: Row, columns: Sequence[str], table: PictureTable) -> tuple[str, ...]:
    """Of all columns together; the fallback's only when they have none."""
    found = tuple(caption for column in columns for caption in captions_in(row.get(column)))
    return found or captions_in(row.get(table.fallback_caption_column or ""))


def _size_in(row: Row, table: PictureTable) -> Size | None:
    width, height = (whole_number(row.get(column or "")) for column in (table.width_column, table.height_column))
    return Size(width, height) if width and height else None
