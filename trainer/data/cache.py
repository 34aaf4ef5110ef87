"""Encodings kept on disk under a digest of everything they depend on, so that a stale one is never found.

Several processes of several runs may read and write at once: each writes shards of its own, which are there once they
are whole and never change. Two that make the same encoding make it equal; the older shard is read. The folder's files and
locks are described in trainer.cache_files.
"""

import errno
import fcntl
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import IO
from uuid import uuid4

from torch import Tensor

from trainer.cache_files import DAMAGED, ENDING, SHARDS, USERS, open_lock, remove_leftovers, touch
from trainer.data.shard_index import Indexed, read_index, write_index
from trainer.data.shards import DamagedShard, Shard, Tensors, write_shard
from trainer.errors import TrainingError

MAX_OPEN = 128
SHARD_BYTES = 64 << 20
SHARD_ENTRIES = 4096
SHARD_SECONDS = 30.0
"""How much a shard holds, and for how long an encoding waits for others: what a killed process has to make again."""


class MissingEncoding(KeyError):
    """The cache does not have it, or not any more."""


def key_of(**parts: str | int) -> str:
    """The key of an encoding that depends on exactly these parts."""
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=20).hexdigest()


class EncodingCache:
    """What one process sees of the cache: what was there when it looked last, and what it wrote itself.

    tell: is told of damage. While encodings are still being looked for, nobody may remove any; see keep().
    """

    def __init__(
        self, folder: Path, *, tell: Callable[[str], None] = lambda _: None, shard_bytes: int = SHARD_BYTES
    ) -> None:
        self._folder = folder
        self._tell = tell
        self._shard_bytes = shard_bytes
        self._writer = uuid4().hex
        self._places: dict[str, str] = {}
        self._index: dict[str, Indexed] = {}
        self._open: OrderedDict[str, Shard] = OrderedDict()
        self._checked: set[str] = set()
        self._waiting: dict[str, Tensors] = {}
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._guard = threading.RLock()
        self._lock = open_lock(folder)
        _clean_if_alone(folder, self._lock)
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        self._uses = (folder / USERS / self._writer).open("w")
        fcntl.flock(self._uses, fcntl.LOCK_EX)
        self._remembered = read_index(folder)
        self.look_again()

    def has(self, key: str) -> bool:
        return key in self._places or key in self._waiting

    def read(self, key: str) -> Tensors:
        """Compared with its checksum the first time. Raises MissingEncoding, also for one that turns out to be damaged."""
        with self._guard:
            if key in self._waiting:
                return self._waiting[key]
            name = self._places.get(key)
            if name is None:
                raise MissingEncoding(key)
            try:
                tensors = self._shard(name).read(key, is_checked=key not in self._checked)
            except FileNotFoundError:
                self._forget(name)
                raise MissingEncoding(key) from None
            except DamagedShard as damage:
                self._set_aside(name, damage)
                raise MissingEncoding(key) from damage
            self._checked.add(key)
            return tensors

    def write(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        """It is on disk when its shard is full, or by flush(). Raises TrainingError when the disk is full."""
        with self._guard:
            if not self._waiting:
                self._waiting_since = time.monotonic()
            self._waiting[key] = {name: _copied(tensor) for name, tensor in tensors.items()}
            self._waiting_bytes += sum(tensor.nbytes for tensor in self._waiting[key].values())
            is_full = self._waiting_bytes >= self._shard_bytes or len(self._waiting) >= SHARD_ENTRIES
            if is_full or time.monotonic() - self._waiting_since > SHARD_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Write what waits. Raises TrainingError when the disk is full."""
        with self._guard:
            if not self._waiting:
                return
            # Older shards come first by name: whoever looks finds the same one of two that hold the same encoding.
            name = f"{time.time_ns():020}-{self._writer}{ENDING}"
            path = self._folder / SHARDS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_shard(path, self._waiting)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise TrainingError(
                    f"the disk is full: encodings cannot be written to {self._folder}; free some space, remove old "
                    "encodings with 'simpletuner cache prune', then resume"
                ) from error
            self._take_in(name, Indexed(path.stat().st_size, tuple(self._waiting)))
            self._waiting = {}
            self._waiting_bytes = 0

    def look_again(self) -> None:
        """See what other processes have written meanwhile; set aside what is not whole."""
        with self._guard, os.scandir(self._folder / SHARDS) as listing:
            sizes = {entry.name: entry.stat().st_size for entry in listing if entry.name.endswith(ENDING)}
            for name in sorted(sizes):
                if name in self._index or name.startswith("."):
                    continue
                known = self._remembered.get(name)
                try:
                    if known is None:
                        known = Indexed(sizes[name], self._shard(name).keys)
                    elif known.size != sizes[name]:
                        raise DamagedShard(f"it has {sizes[name]} bytes and had {known.size}")
                except FileNotFoundError:
                    continue
                except DamagedShard as damage:
                    self._set_aside(name, damage)
                else:
                    self._take_in(name, known)

    def keep(self, keys: Iterable[str]) -> None:
        """From now on these are all that is needed of what is there: other shards may be removed.

        Those that hold them count as used now, and stay for as long as this process lives.
        """
        with self._guard:
            self._places = {key: self._places[key] for key in keys if key in self._places}
            used = sorted(set(self._places.values()))
            for name in used:
                touch(self._folder / SHARDS / name)
            self._uses.seek(0)
            self._uses.truncate()
            self._uses.writelines(f"{name}\n" for name in used)
            self._uses.flush()
            self._index = {}
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def save_index(self) -> None:
        """Unless it says all that is known already."""
        if self._index.keys() != self._remembered.keys():
            write_index(self._folder, self._index)

    def close(self) -> None:
        """Write what waits, and let go of everything. What cannot be written is encoded again another time."""
        try:
            self.flush()
        except (TrainingError, OSError) as error:
            self._tell(f"encodings were not kept: {error}")
        self._open.clear()
        Path(self._uses.name).unlink(missing_ok=True)
        self._uses.close()
        self._lock.close()

    def _take_in(self, name: str, shard: Indexed) -> None:
        self._index[name] = shard
        for key in shard.keys:
            if self._places.setdefault(key, name) > name:
                self._places[key] = name

    def _shard(self, name: str) -> Shard:
        shard = self._open.pop(name, None) or Shard(self._folder / SHARDS / name)
        self._open[name] = shard
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)
        return shard

    def _set_aside(self, name: str, damage: DamagedShard) -> None:
        """Its encodings are made anew where they are needed; the file is kept for whoever wonders."""
        (self._folder / DAMAGED).mkdir(exist_ok=True)
        try:
            os.replace(self._folder / SHARDS / name, self._folder / DAMAGED / name)
        except FileNotFoundError:
            pass
        else:
            self._tell(
                f"the file {name} in the cache {self._folder} is damaged ({damage}) and was set aside; what it held is "
                "encoded again"
            )
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._open.pop(name, None)
        self._index.pop(name, None)
        self._places = {key: place for key, place in self._places.items() if place != name}


def _copied(tensor: Tensor) -> Tensor:
    """On the CPU, of its own: a part of a batch would keep the whole batch."""
    return tensor.detach().cpu().contiguous().clone()


def _clean_if_alone(folder: Path, lock: IO[bytes]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    remove_leftovers(folder)
