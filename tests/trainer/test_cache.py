"""Encodings are found for exactly what they were made from, whole or not at all."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trainer.data.cache import EncodingCache, digest_of_file, key_of

ROOT = Path(__file__).parents[2]
PARTS: dict[str, str | int] = {"kind": "latents", "encoder": "vae", "picture": "digest", "edge": 64}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    cache = EncodingCache(tmp_path)
    tensor = torch.randn(4, 8, 8)
    cache.write(key_of(**PARTS), {"latents": tensor})
    assert torch.equal(EncodingCache(tmp_path).read(key_of(**PARTS))["latents"], tensor)


@pytest.mark.parametrize("change", [{"kind": "text"}, {"encoder": "other"}, {"picture": "other"}, {"edge": 128}])
def test_another_part_is_another_key(change: dict[str, str | int]) -> None:
    assert key_of(**PARTS) != key_of(**(PARTS | change))


def test_key_does_not_depend_on_the_order_of_its_parts() -> None:
    assert key_of(a=1, b=2) == key_of(b=2, a=1)


def test_digest_follows_the_content_and_not_the_name(tmp_path: Path) -> None:
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    digests = [digest_of_file((tmp_path / name).open("rb")) for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_entry_cut_short_is_not_there(tmp_path: Path, kept: int) -> None:
    cache = EncodingCache(tmp_path)
    cache.write("k" * 40, {"latents": torch.randn(4, 8, 8)})
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:kept])
    assert not cache.has("k" * 40)


def test_missing_entry_is_not_there(tmp_path: Path) -> None:
    assert not EncodingCache(tmp_path).has("k" * 40)


def test_two_processes_may_write_the_same_entries(tmp_path: Path) -> None:
    code = """
import sys, torch
from pathlib import Path
from trainer.data.cache import EncodingCache
cache = EncodingCache(Path(sys.argv[1]))
for entry in range(20):
    for _ in range(5):
        cache.write(f"{entry:040}", {"latents": torch.full((1000,), float(entry))})
        assert cache.has(f"{entry:040}")
        assert cache.read(f"{entry:040}")["latents"].unique().tolist() == [entry]
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".safetensors"}
