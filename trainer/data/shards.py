"""Safetensors files that hold many encodings each, written once and never changed, with a checksum of every encoding."""

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

CHECKSUMS = "checksums"

Tensors = dict[str, Tensor]


class DamagedShard(Exception):
    """A file that is cut short, or says something else than was written."""


class Shard:
    """An open shard, mapped into memory: what is not read is not loaded."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedShard, and FileNotFoundError."""
        try:
            self._file = _opened(path)
            self._checksums: dict[str, str] = json.loads((self._file.metadata() or {})[CHECKSUMS])
            self._names: dict[str, list[str]] = {key: [] for key in self._checksums}
            for written in self._file.keys():  # noqa: SIM118 - it is no mapping
                key, _, name = written.partition("/")
                self._names[key].append(name)
        except FileNotFoundError:
            raise
        except (OSError, SafetensorError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise DamagedShard(str(error)) from error

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._checksums)

    def read(self, key: str, *, is_checked: bool) -> Tensors:
        """is_checked: the checksum is compared. Raises DamagedShard."""
        try:
            tensors = {name: self._file.get_tensor(f"{key}/{name}") for name in self._names[key]}
        except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise DamagedShard(str(error)) from error
        if is_checked and checksum_of(tensors) != self._checksums[key]:
            raise DamagedShard(f"the checksum of {key} is another")
        return tensors


def _opened(path: Path) -> Any:
    """Its methods have no types."""
    return safe_open(path, framework="pt")


def write_shard(path: Path, entries: Mapping[str, Tensors]) -> None:
    """All of it or nothing, also when the machine loses power."""
    tensors = {f"{key}/{name}": tensor for key, entry in entries.items() for name, tensor in entry.items()}
    checksums = json.dumps({key: checksum_of(entry) for key, entry in entries.items()})
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(save(tensors, {CHECKSUMS: checksums}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def checksum_of(tensors: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and bytes."""
    digest = blake2b(digest_size=8)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        raw: Any = tensor.reshape(-1).view(torch.uint8).numpy()
        digest.update(raw)
    return digest.hexdigest()
