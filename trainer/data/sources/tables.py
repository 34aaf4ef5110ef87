"""Tables with one row for each picture: .jsonl, .csv and .parquet."""

import csv
import io
import json
import posixpath
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from trainer.errors import TrainingError

Row = Mapping[str, Any]

TABLE_ENDINGS = (".jsonl", ".csv", ".parquet")
MAX_FIELD = 1 << 20
"""Characters in a field of a .csv."""

ROWS_AT_ONCE = 1024


@contextmanager
def open_table(path: str, *, option: str, dataset: str) -> Iterator[BinaryIO]:
    """option: which names the table. Raises TrainingError when it is not there."""
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, and what reading it raises is not for here
    except OSError as error:
        raise TrainingError(
            f"dataset {dataset!r}: the table {path} cannot be read ({error.strerror}); correct {option}"
        ) from error
    with file:
        yield file


def read_rows(file: BinaryIO, place: str, *, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """place: of the table, for people; its ending says what it is. columns: which are needed, those that are there.

    Raises TrainingError that names the place and the row, counted from 1.
    """
    match PurePosixPath(place).suffix.lower():
        case ".jsonl" | ".ndjson":
            return _json_rows(file, place)
        case ".csv":
            return _csv_rows(file, place)
        case ".parquet":
            return _parquet_rows(file, place, columns)
        case other:
            raise TrainingError(f"{place} is no table that can be read: it ends in {other!r}, not {_endings()}")


def check_columns(row: Row, columns: Sequence[str], place: str, *, dataset: str) -> None:
    """Raises TrainingError for the first that the table does not have; row: its first.

    Objects of .jsonl may leave out what they do not have, but for the first of the columns.
    """
    for column in columns[:1] if PurePosixPath(place).suffix.lower() not in (".csv", ".parquet") else columns:
        if column not in row:
            there = ", ".join(map(str, row)) or "none"
            raise TrainingError(f"dataset {dataset!r}: {place} has no column {column!r}; it has {there:.500}")


def name_in(folder: str, written: str) -> str | None:
    """The name in its source of a file that a table in this folder of it names; None for one outside the folder."""
    if not written or written.startswith("/") or "\0" in written:
        return None
    within = posixpath.normpath(written)
    return None if within.split("/")[0] in ("..", ".") else posixpath.join(folder, within)


def same_name(name: str) -> str:
    """Equal for names that look equal: systems write accents in one character or in two."""
    return unicodedata.normalize("NFC", name)


def _json_rows(file: BinaryIO, place: str) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        if not line.strip(b"\xef\xbb\xbf \t\r\n"):
            continue
        try:
            row = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError) as error:
            raise TrainingError(f"row {number} of {place} is no JSON: {error}; correct it or take it out") from error
        if not isinstance(row, dict):
            raise TrainingError(f"row {number} of {place} is no JSON object; correct it or take it out")
        yield row


def _csv_rows(file: BinaryIO, place: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_FIELD)
    # Not TextIOWrapper itself: it would close the file with it.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        yield from csv.DictReader(text, strict=True)
    except csv.Error as error:
        raise TrainingError(f"{place} is no table with commas that can be read: {error}") from error
    finally:
        text.detach()


def _parquet_rows(file: BinaryIO, place: str, columns: Sequence[str] | None) -> Iterator[Row]:
    try:
        import pyarrow  # noqa: PLC0415 - an extra
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise TrainingError(f"{place} needs pyarrow to be read; install simpletuner[data]") from error
    try:
        table = pyarrow.parquet.ParquetFile(file)
        there = [name for name in table.schema_arrow.names if columns is None or name in columns]
        for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=there):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise TrainingError(f"{place} is no .parquet file that can be read: {' '.join(str(error).split())}") from error


def _endings() -> str:
    return f"{', '.join(TABLE_ENDINGS[:-1])} or {TABLE_ENDINGS[-1]}"
