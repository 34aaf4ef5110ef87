"""Captions in a table that lies among the pictures, as folders of pictures on the Hugging Face Hub have it.

metadata.jsonl, or else metadata.csv, names pictures from its own folder on in file_name, with their captions in text.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from domain.config.captions import METADATA_FILES
from trainer.data.sources.source import Source, captions_in
from trainer.data.sources.tables import Row, name_in, read_rows, same_name

NAME_COLUMNS = ("file_name", "image", "image_path")
CAPTION_COLUMNS = ("text", "caption", "captions", "prompt")


@dataclass(frozen=True, slots=True)
class Metadata:
    """captions: by a picture's name. left_out: rows that name nothing that is there."""

    captions: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]

    def of(self, name: str) -> tuple[str, ...]:
        return self.captions.get(same_name(name), ())


def is_metadata(name: str) -> bool:
    return posixpath.basename(name) in METADATA_FILES


def read_metadata(source: Source, *, tables: Iterable[str], pictures: Iterable[str]) -> Metadata:
    """tables, pictures: the names of all in the source; the table nearest to a picture has the last word."""
    there = {same_name(name) for name in pictures}
    captions: dict[str, tuple[str, ...]] = {}
    left_out: list[str] = []
    for table in _chosen(tables):
        for number, row in enumerate(_rows(source, table), start=1):
            written = _first_text(row, NAME_COLUMNS)
            name = name_in(posixpath.dirname(table), written)
            if name is None or same_name(name) not in there:
                reason = "is no place in its folder" if name is None else "is not there"
                left_out.append(f"row {number} of {source.place_of(table)}: {written!r:.200} {reason}")
            else:
                captions[same_name(name)] = _captions_in(row)
    return Metadata(captions, tuple(left_out))


def _chosen(tables: Iterable[str]) -> list[str]:
    """One in each folder, the outer ones first."""
    there = set(tables)
    folders = sorted({posixpath.dirname(table) for table in there}, key=lambda folder: (folder.count("/"), folder))
    named = ([posixpath.join(folder, name) for name in METADATA_FILES] for folder in folders)
    return [next(name for name in names if name in there) for names in named]


def _rows(source: Source, table: str) -> Iterator[Row]:
    with closing(source.open(table)) as file:
        yield from read_rows(file, source.place_of(table))


def _first_text(row: Row, columns: Iterable[str]) -> str:
    return next((str(row[column]) for column in columns if row.get(column)), "")


def _captions_in(row: Row) -> tuple[str, ...]:
    return next((found for column in CAPTION_COLUMNS if (found := captions_in(row.get(column)))), ())
