"""The index of a dataset: one row for each picture, and how far the scan is. Only a scan writes it.

It holds what pictures are, never what training would make of them, which follows from configurations that change. It can be
deleted at any time: the next scan makes it anew.
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from trainer.scan.look import Findings, Task

SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE scan (
    row INTEGER PRIMARY KEY CHECK (row = 1), order_id TEXT NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL,
    version INTEGER NOT NULL, started_at REAL NOT NULL, finished_at REAL, num_done INTEGER NOT NULL,
    num_total INTEGER NOT NULL, error TEXT
);
CREATE TABLE pictures (
    name BLOB PRIMARY KEY, key TEXT NOT NULL, version TEXT NOT NULL, beside TEXT,
    measured_version TEXT, read_version TEXT, caption_version TEXT,
    width INTEGER, height INTEGER, format TEXT, mode TEXT, orientation INTEGER, has_alpha INTEGER, num_frames INTEGER,
    seconds REAL, num_bytes INTEGER, digest BLOB, fault TEXT, message TEXT, captions TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX pictures_key ON pictures (key);
CREATE INDEX pictures_digest ON pictures (digest);
"""
"""beside: which captions there are, as far as can be told without reading them, NULL when nobody can tell. The versions
say of which version of the picture or its captions the rest of the row tells."""

TEMPORARY = "CREATE TEMP TABLE listed (name BLOB PRIMARY KEY, key TEXT, version TEXT, beside TEXT) WITHOUT ROWID"
LISTING, MEASURING, READING, FINISHED, FAILED = "listing", "measuring", "reading", "finished", "failed"
PAGE = 500
UNMEASURED = "measured_version IS NOT version AND read_version IS NOT version"
UNREAD = "read_version IS NOT version OR beside IS NULL OR caption_version IS NOT beside"


class Listed(NamedTuple):
    name: str
    version: str
    beside: str | None


class Index:
    """Raises sqlite3.Error when it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._connection = _open(path)
        self._connection.execute(TEMPORARY)

    def close(self) -> None:
        self._connection.close()

    def begin(self, order_id: str, *, source: str) -> None:
        """Another source has other pictures under the same names, so nothing is kept of it."""
        with self._transaction():
            known = self._connection.execute("SELECT source, version FROM scan").fetchone()
            if known and known[0] != source:
                self._connection.execute("DELETE FROM pictures")
            self._connection.execute(
                "INSERT OR REPLACE INTO scan VALUES (1, ?, ?, ?, ?, ?, NULL, 0, 0, NULL)",
                (order_id, source, LISTING, known[1] + 1 if known else 1, time.time()),
            )

    def note_listed(self, listed: Sequence[Listed], *, num_total: int) -> None:
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?)",
                [(encode_name(each.name), key_of(each.name), each.version, each.beside) for each in listed],
            )
            self._connection.execute("UPDATE scan SET num_total = ?, version = version + 1", (num_total,))

    def take_over_listed(self) -> None:
        """What was listed is what there is."""
        with self._transaction():
            self._connection.execute("DELETE FROM pictures WHERE name NOT IN (SELECT name FROM listed)")
            self._connection.execute(
                "INSERT INTO pictures (name, key, version, beside) SELECT name, key, version, beside FROM listed "
                "WHERE true ON CONFLICT (name) DO UPDATE SET version = excluded.version, beside = excluded.beside"
            )
            self._connection.execute("DELETE FROM listed")
            self._count_done()

    def enter(self, state: str, *, error: str | None = None) -> None:
        has_ended = state in (FINISHED, FAILED)
        with self._transaction():
            self._connection.execute(
                "UPDATE scan SET state = ?, error = ?, finished_at = ?, version = version + 1",
                (state, error, time.time() if has_ended else None),
            )
            if has_ended:
                self._count_done()

    def unmeasured(self) -> Iterator[Task]:
        for name, version, *_ in self._rows(UNMEASURED):
            yield Task(
                name=decode_name(name), version=version, is_thorough=False, wants_picture=True, wants_captions=True
            )

    def unread(self) -> Iterator[Task]:
        for name, version, read_version, beside, caption_version in self._rows(UNREAD):
            yield Task(
                name=decode_name(name),
                version=version,
                is_thorough=True,
                wants_picture=read_version != version,
                wants_captions=beside is None or caption_version != beside,
            )

    def write(self, found: Sequence[Findings]) -> None:
        with self._transaction():
            for each in found:
                self._write(each)
            num_read = sum(1 for each in found if each.task.is_thorough and each.task.wants_picture)
            self._connection.execute("UPDATE scan SET num_done = num_done + ?, version = version + 1", (num_read,))

    def _write(self, found: Findings) -> None:
        task = found.task
        if task.wants_picture:
            # A look that found no end would find none when it is repeated, which may take a minute.
            is_settled = task.is_thorough or (found.fault is not None and found.num_bytes is None)
            self._connection.execute(
                "UPDATE pictures SET measured_version = :version, "
                "read_version = CASE WHEN :settled THEN :version ELSE read_version END, width = :width, "
                "height = :height, format = :format, mode = :mode, orientation = :orientation, "
                "has_alpha = :has_alpha, num_frames = :num_frames, seconds = :seconds, num_bytes = :num_bytes, digest = :digest, "
                "fault = :fault, message = :message WHERE name = :name",
                {
                    "name": encode_name(task.name),
                    "version": task.version,
                    "settled": is_settled,
                    "width": found.width,
                    "height": found.height,
                    "format": found.format,
                    "mode": found.mode,
                    "orientation": found.orientation,
                    "has_alpha": found.has_alpha,
                    "num_frames": found.num_frames,
                    "seconds": found.seconds,
                    "num_bytes": found.num_bytes,
                    "digest": found.digest,
                    "fault": found.fault,
                    "message": found.message,
                },
            )
        if task.wants_captions:
            captions = None if found.captions is None else json.dumps(found.captions)
            self._connection.execute(
                "UPDATE pictures SET captions = ?, caption_version = beside WHERE name = ?",
                (captions, encode_name(task.name)),
            )

    def _rows(self, condition: str) -> Iterator[tuple[Any, ...]]:
        """In pages by name: what is written meanwhile lies behind, and 100,000 rows need not be held."""
        after = b""
        while True:
            page = self._connection.execute(
                "SELECT name, version, read_version, beside, caption_version FROM pictures "
                f"WHERE name > ? AND ({condition}) ORDER BY name LIMIT {PAGE}",
                (after,),
            ).fetchall()
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def _count_done(self) -> None:
        self._connection.execute(
            "UPDATE scan SET version = version + 1, num_total = (SELECT COUNT(*) FROM pictures), "
            "num_done = (SELECT COUNT(*) FROM pictures WHERE read_version = version)"
        )

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)


class _Transaction:
    """Takes the lock at its beginning and gives it back whatever happens."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def encode_name(name: str) -> bytes:
    """File names need not be text; these bytes are in the order of the names, and give them back."""
    return name.encode("utf-8", "surrogatepass")


def decode_name(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


def key_of(name: str) -> str:
    """Stands for a name in addresses; always the same one."""
    return blake2b(encode_name(name), digest_size=16).hexdigest()


def batches(found: Iterable[Findings], *, size: int = PAGE, seconds: float = 0.5) -> Iterator[list[Findings]]:
    batch: list[Findings] = []
    since = time.monotonic()
    for each in found:
        batch.append(each)
        if len(batch) >= size or time.monotonic() - since > seconds:
            yield batch
            batch, since = [], time.monotonic()
    if batch:
        yield batch


def _open(path: Path) -> sqlite3.Connection:
    """A file that is no index of this version is written anew."""
    connection = _connect(path)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        is_sound = version == SCHEMA_VERSION
    except sqlite3.DatabaseError:
        is_sound = False
    if is_sound:
        return connection
    connection.close()
    remove_index(path)
    connection = _connect(path)
    connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    return connection


def remove_index(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError:
        pass
    return connection
