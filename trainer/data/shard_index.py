"""Which shard holds which encoding, so that a start need not read every shard's header.

It is a memory only: what it lacks or has wrong is read from the headers.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

INDEX_FILE = "index"
KEY_LENGTH = 40
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Indexed:
    """A shard as it was when its header was read: its size in bytes, and its keys."""

    size: int
    keys: tuple[str, ...]


def read_index(folder: Path) -> dict[str, Indexed]:
    """By the shard's name; nothing when there is no index or it is not whole."""
    try:
        written = (folder / INDEX_FILE).read_bytes()
    except FileNotFoundError:
        return {}
    digest, content = written[:DIGEST_BYTES], written[DIGEST_BYTES:]
    if _digest(content) != digest:
        return {}
    head, _, packed = content.partition(b"\n")
    keys = packed.hex()
    index, start = {}, 0
    for name, size, count in json.loads(head):
        end = start + count * KEY_LENGTH
        index[name] = Indexed(size, tuple(keys[at : at + KEY_LENGTH] for at in range(start, end, KEY_LENGTH)))
        start = end
    return index


def write_index(folder: Path, index: Mapping[str, Indexed]) -> None:
    head = json.dumps([[name, shard.size, len(shard.keys)] for name, shard in index.items()]).encode()
    packed = bytes.fromhex("".join(key for shard in index.values() for key in shard.keys))
    content = head + b"\n" + packed
    temporary = folder / f".{INDEX_FILE}-{uuid4().hex}.tmp"
    try:
        temporary.write_bytes(_digest(content) + content)
        os.replace(temporary, folder / INDEX_FILE)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()
