"""What a scan has noted of a dataset's pictures, read beside it while it goes on. trainer/scan/index.py has the columns."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

from domain.config.buckets import Size
from domain.errors import WrongState

INDEX_FILE = "index.sqlite3"
SCHEMA_VERSION = 2
ENDED = frozenset({"finished", "failed"})
COLUMNS = (
    "name, key, version, width, height, format, mode, orientation, has_alpha, num_frames, seconds, num_bytes, "
    "digest, fault, message, captions"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanStatus:
    """state: listing, measuring, reading, finished or failed. version: rises with everything that is noted."""

    order_id: str
    state: str
    version: int
    started_at: datetime
    finished_at: datetime | None
    num_done: int
    num_total: int
    error: str | None

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRow:
    """name: as the dataset's source has it. key: stands for it in addresses. size: upright, None while it is not known.
    seconds: of a video. captions: None when nobody has read them."""

    name: str
    key: str
    version: str
    size: Size | None
    format: str | None
    mode: str | None
    orientation: int | None
    has_alpha: bool
    num_frames: int
    seconds: float | None
    num_bytes: int | None
    digest: str | None
    fault: str | None
    message: str | None
    captions: tuple[str, ...] | None

    @property
    def shown_name(self) -> str:
        return shown(self.name)

    @property
    def content(self) -> str:
        """Another one for another content, for addresses that never change what they show."""
        return self.digest or blake2b(self.version.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class PictureIndex:
    """In one state, whatever the scan writes meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def status(self) -> ScanStatus | None:
        row = self._connection.execute(
            "SELECT order_id, state, version, started_at, finished_at, num_done, num_total, error FROM scan"
        ).fetchone()
        if row is None:
            return None
        order_id, state, version, started_at, finished_at, num_done, num_total, error = row
        return ScanStatus(
            order_id=order_id,
            state=state,
            version=version,
            started_at=datetime.fromtimestamp(started_at, UTC),
            finished_at=None if finished_at is None else datetime.fromtimestamp(finished_at, UTC),
            num_done=num_done,
            num_total=num_total,
            error=error,
        )

    def define(self, name: str, num_arguments: int, function: Callable[..., Any]) -> None:
        """A function that conditions can use."""
        self._connection.create_function(name, num_arguments, function, deterministic=True)

    def count(self, where: str = "true", values: Sequence[Any] = ()) -> int:
        (number,) = self._connection.execute(f"SELECT COUNT(*) FROM pictures WHERE {where}", values).fetchone()
        return int(number)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def page(
        self, *, where: str, values: Sequence[Any], after: bytes | None, limit: int | None
    ) -> Iterator[PictureRow]:
        """In the order of their names; after: an encoded name."""
        found = self._connection.execute(
            f"SELECT {COLUMNS} FROM pictures WHERE name > ? AND ({where}) ORDER BY name LIMIT ?",
            (after or b"", *values, -1 if limit is None else limit),
        )
        yield from (_make(row) for row in found)

    def find(self, key: str) -> PictureRow | None:
        row = self._connection.execute(f"SELECT {COLUMNS} FROM pictures WHERE key = ?", (key,)).fetchone()
        return None if row is None else _make(row)


@contextmanager
def open_index(folder: Path) -> Iterator[PictureIndex | None]:
    """None when there is none, or none of this version: the next scan makes it anew. Raises WrongState for one that turns
    out to be damaged."""
    path = folder / INDEX_FILE
    if not path.is_file():
        yield None
        return
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5, isolation_level=None)
    except sqlite3.Error:
        yield None
        return
    with closing(connection):
        try:
            yield PictureIndex(connection) if _begins(connection) else None
        except sqlite3.DatabaseError as error:
            raise WrongState(
                f"what is known of the pictures cannot be read: {error}; scan the dataset again", path=("id",)
            ) from error


def read_status(folder: Path) -> ScanStatus | None:
    with open_index(folder) as index:
        return index.status() if index else None


def encode_name(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def decode_name(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def shown(name: str) -> str:
    """File names need not be text; what is shown is."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode()


def _begins(connection: sqlite3.Connection) -> bool:
    """Whether it can be read; from here on it is read in one state."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            return False
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM scan").fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


def _make(row: tuple[Any, ...]) -> PictureRow:
    name, key, version, width, height, form, mode, orientation, has_alpha, *rest = row
    num_frames, seconds, num_bytes, digest, fault, message, captions = rest
    return PictureRow(
        name=decode_name(name),
        key=key,
        version=version,
        size=None if width is None or height is None else Size(width, height),
        format=form,
        mode=mode,
        orientation=orientation,
        has_alpha=bool(has_alpha),
        num_frames=num_frames or 1,
        seconds=seconds,
        num_bytes=num_bytes,
        digest=digest.hex() if digest else None,
        fault=fault,
        message=message,
        captions=None if captions is None else tuple(json.loads(captions)),
    )
