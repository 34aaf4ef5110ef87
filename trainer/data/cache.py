"""Encodings kept on disk under a digest of everything they depend on, so that a stale one is never found."""

import json
import os
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor


def digest_of_file(file: BinaryIO) -> str:
    digest = blake2b(digest_size=16)
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def key_of(**parts: str | int) -> str:
    """The key of an encoding that depends on exactly these parts."""
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=20).hexdigest()


class EncodingCache:
    """One file for each encoding; several processes may read and write at once, and a killed one leaves no half entry."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, key: str) -> bool:
        """Whether the entry is there and whole."""
        try:
            with safe_open(self._path(key), framework="pt"):
                return True
        except (OSError, SafetensorError):
            return False

    def read(self, key: str) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = load_file(self._path(key))
        return tensors

    def write(self, key: str, tensors: dict[str, Tensor]) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{uuid4().hex}.tmp")
        try:
            temporary.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.safetensors"
