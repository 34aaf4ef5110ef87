"""The folder of a cache as everybody sees it: its files, who uses which, and how old ones are removed.

    FOLDER/lock        held together by those who look for encodings, alone by who removes some
    FOLDER/shards/     files of encodings; the time of a file is when it was last used
    FOLDER/users/      one file for each process at work, locked for as long as it lives: the names of the shards it needs
    FOLDER/damaged/    shards that were not as they were written
    FOLDER/index, digests.json, weights.json    what is remembered of shards, of pictures and of models

Shards whose name has the name of a living user in it are its own. Only the standard library is imported, so that the
service can use it without torch.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LOCK_FILE = "lock"
SHARDS = "shards"
USERS = "users"
DAMAGED = "damaged"
ENDING = ".safetensors"


class CacheInUse(Exception):
    """Somebody looks for encodings just now, so none may be removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredShard:
    """used_at: seconds since 1970. is_needed: a run that is alive reads it."""

    path: Path
    num_bytes: int
    used_at: float
    is_needed: bool


def open_lock(folder: Path) -> IO[bytes]:
    """Makes the folder where it is missing."""
    for name in (SHARDS, USERS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return (folder / LOCK_FILE).open("ab")


def shards_in(folder: Path) -> list[StoredShard]:
    """Those that were not used for the longest time first."""
    needed, writers = _needs(folder)
    found = []
    for path in (folder / SHARDS).glob(f"[!.]*{ENDING}"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append(
            StoredShard(
                path=path,
                num_bytes=status.st_size,
                used_at=status.st_mtime,
                is_needed=path.name in needed or any(writer in path.name for writer in writers),
            )
        )
    return sorted(found, key=lambda shard: (shard.used_at, shard.path.name))


def prune(folder: Path, *, limit_bytes: int) -> list[StoredShard]:
    """Remove what was not used for the longest time until no more than that is left; what a living run needs stays.

    Returns what was removed. Raises CacheInUse.
    """
    with _alone(folder):
        remove_leftovers(folder)
        shards = shards_in(folder)
        total = sum(shard.num_bytes for shard in shards)
        removed = []
        for shard in shards:
            if total <= limit_bytes:
                break
            if not shard.is_needed:
                shard.path.unlink(missing_ok=True)
                total -= shard.num_bytes
                removed.append(shard)
        return removed


def remove_leftovers(folder: Path) -> None:
    """What processes left that were killed, and damaged shards. Only for who holds the lock alone."""
    _, writers = _needs(folder)
    for path in (folder / USERS).iterdir():
        if path.name not in writers:
            path.unlink(missing_ok=True)
    for path in folder.glob(".*.tmp"):  # only who looks for encodings writes any
        path.unlink(missing_ok=True)
    for path in (folder / SHARDS).glob(".*.tmp"):
        if not any(writer in path.name for writer in writers):
            path.unlink(missing_ok=True)
    if (folder / DAMAGED).is_dir():
        for path in (folder / DAMAGED).iterdir():
            path.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with open_lock(folder) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CacheInUse(f"a run is looking for encodings in {folder}; try again when it trains") from error
        yield


def _needs(folder: Path) -> tuple[set[str], list[str]]:
    """The names of shards that living processes read, and the names of these processes."""
    needed: set[str] = set()
    writers = []
    for path in (folder / USERS).glob("*"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            continue
        except BlockingIOError:
            needed.update(path.read_text().split())
            writers.append(path.name)
    return needed, writers


def touch(path: Path) -> None:
    """It is used now."""
    os.utime(path)
