"""Encodings are found for exactly what they were made from, whole or not at all, by all who share the cache."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from trainer.cache_files import CacheInUse, prune, shards_in
from trainer.data.cache import EncodingCache, MissingEncoding, key_of
from trainer.data.shard_index import INDEX_FILE

ROOT = Path(__file__).parents[2]
PARTS: dict[str, str | int] = {"kind": "latents", "encoder": "vae", "picture": "digest", "edge": 64}


def key(number: int) -> str:
    return f"{number:040}"


def value(number: int) -> torch.Tensor:
    return torch.full((100,), float(number))


def filled(folder: Path, numbers: range) -> EncodingCache:
    """One shard with an entry for each number, and whoever wrote it gone."""
    cache = EncodingCache(folder)
    for number in numbers:
        cache.write(key(number), {"latents": value(number)})
    cache.close()
    return cache


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "shards").iterdir())


def test_what_was_written_is_read_by_others(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(4, 8, 8), "b": torch.randn(3).to(torch.bfloat16), "c": torch.tensor(7)}
    writer = EncodingCache(tmp_path)
    writer.write(key_of(**PARTS), tensors)
    assert writer.read(key_of(**PARTS)).keys() == tensors.keys()
    writer.flush()
    read = EncodingCache(tmp_path).read(key_of(**PARTS))
    assert all(torch.equal(read[name], tensors[name]) and read[name].dtype == tensors[name].dtype for name in tensors)


@pytest.mark.parametrize("change", [{"kind": "text"}, {"encoder": "other"}, {"picture": "other"}, {"edge": 128}])
def test_another_part_is_another_key(change: dict[str, str | int]) -> None:
    assert key_of(**PARTS) != key_of(**(PARTS | change))


def test_key_does_not_depend_on_the_order_of_its_parts() -> None:
    assert key_of(a=1, b=2) == key_of(b=2, a=1)


def test_what_killed_processes_were_writing_is_removed(tmp_path: Path) -> None:
    EncodingCache(tmp_path).close()
    leftovers = [tmp_path / ".index-1.tmp", tmp_path / ".digests.json-1.tmp", tmp_path / "shards" / ".1-2.tmp"]
    for leftover in leftovers:
        leftover.touch()
    EncodingCache(tmp_path).close()
    assert not any(leftover.exists() for leftover in leftovers)


def test_missing_entry_is_not_there(tmp_path: Path) -> None:
    cache = EncodingCache(tmp_path)
    assert not cache.has(key(1))
    with pytest.raises(MissingEncoding):
        cache.read(key(1))


def test_shards_are_written_when_they_are_full(tmp_path: Path) -> None:
    cache = EncodingCache(tmp_path, shard_bytes=1000)
    for number in range(7):
        cache.write(key(number), {"latents": value(number)})
    assert len(shards(tmp_path)) == 2
    cache.flush()
    assert len(shards(tmp_path)) == 3
    assert [cache.read(key(number))["latents"][0].item() for number in range(7)] == list(range(7))


# ---- damage -----------------------------------------------------------------------------------------------------------


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_in_value(path: Path) -> None:
    flip(path, -5)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def change_type(path: Path) -> None:
    """One that has as many bytes: the header is still a header."""
    path.write_bytes(path.read_bytes().replace(b'"dtype":"F32"', b'"dtype":"I32"', 1))


def test_cache_that_vanishes_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    cache = EncodingCache(folder)
    shutil.rmtree(folder)
    cache.write(key(1), {"latents": value(1)})
    cache.flush()
    assert torch.equal(EncodingCache(folder).read(key(1))["latents"], value(1))


def test_encodings_that_cannot_be_kept_at_the_end_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    cache = EncodingCache(tmp_path, tell=told.append)
    shutil.rmtree(tmp_path / "shards")
    (tmp_path / "shards").touch()
    cache.write(key(1), {"latents": value(1)})
    cache.close()
    assert len(told) == 1
    assert told[0].startswith("encodings were not kept: ")


@pytest.mark.parametrize("is_indexed", [True, False])
@pytest.mark.parametrize("damage", [cut_short, empty, flip_in_value, change_type])
def test_damaged_shard_is_set_aside_and_told(tmp_path: Path, damage: Callable[[Path], None], is_indexed: bool) -> None:
    filled(tmp_path, range(3))
    if is_indexed:
        EncodingCache(tmp_path).save_index()
    damage(shards(tmp_path)[0])
    told: list[str] = []
    cache = EncodingCache(tmp_path, tell=told.append)
    read = []
    for number in range(3):
        try:
            read.append(cache.read(key(number))["latents"])
        except MissingEncoding:
            continue
    assert [len(told), len(shards(tmp_path)), len(list((tmp_path / "damaged").iterdir()))] == [1, 0, 1]
    assert all(torch.equal(each, value(number)) for number, each in enumerate(read))
    assert not any(cache.has(key(number)) for number in range(3))


def test_no_flipped_bit_is_ever_read_as_another_value(tmp_path: Path) -> None:
    filled(tmp_path, range(2))
    (path,) = shards(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 13):
        path.write_bytes(whole)
        flip(path, place)
        cache = EncodingCache(tmp_path)
        for number in range(2):
            try:
                assert torch.equal(cache.read(key(number))["latents"], value(number))
            except MissingEncoding:
                path.write_bytes(whole)


def test_shard_that_vanished_is_missing(tmp_path: Path) -> None:
    filled(tmp_path, range(1))
    EncodingCache(tmp_path).save_index()
    cache = EncodingCache(tmp_path)
    shards(tmp_path)[0].unlink()
    with pytest.raises(MissingEncoding):
        cache.read(key(0))


# ---- the index --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [cut_short, empty, flip_in_value, Path.unlink])
def test_index_is_made_anew_from_the_shards(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    for start in (0, 5):
        filled(tmp_path, range(start, start + 5))
    EncodingCache(tmp_path).save_index()
    index = (tmp_path / INDEX_FILE).read_bytes()
    damage(tmp_path / INDEX_FILE)
    cache = EncodingCache(tmp_path)
    assert all(torch.equal(cache.read(key(number))["latents"], value(number)) for number in range(10))
    cache.save_index()
    assert (tmp_path / INDEX_FILE).read_bytes() == index


def test_index_spares_reading_headers(tmp_path: Path) -> None:
    filled(tmp_path, range(3))
    EncodingCache(tmp_path).save_index()
    path = shards(tmp_path)[0]
    path.write_bytes(bytes(path.stat().st_size))
    assert EncodingCache(tmp_path).has(key(2))


# ---- several processes ------------------------------------------------------------------------------------------------

WRITER = """
import sys, torch
from pathlib import Path
from trainer.data.cache import EncodingCache
cache = EncodingCache(Path(sys.argv[1]), shard_bytes=2000)
for number in range(int(sys.argv[2]), 10**6):
    if number < 40:
        cache.write(f"{number:040}", {"latents": torch.full((100,), float(number))})
    elif number == 40:
        cache.flush()
        print("written", flush=True)
    elif "wait" not in sys.argv:
        break
"""


def writer(folder: Path, start: int, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(start), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_several_processes_may_write_the_same_entries(tmp_path: Path) -> None:
    writers = [writer(tmp_path, start) for start in (0, 0, 20)]
    assert [each.wait() for each in writers] == [0, 0, 0]
    cache = EncodingCache(tmp_path)
    assert all(torch.equal(cache.read(key(number))["latents"], value(number)) for number in range(40))
    assert all(path.suffix == ".safetensors" for path in shards(tmp_path))


def test_killed_writer_leaves_whole_shards_and_is_cleaned_up(tmp_path: Path) -> None:
    killed = writer(tmp_path, 0, "wait")
    assert killed.stdout is not None
    assert killed.stdout.readline() == "written\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    (leftover,) = (tmp_path / "users").iterdir()
    (tmp_path / "shards" / f".00-{leftover.name}.safetensors.tmp").write_bytes(b"half")
    cache = EncodingCache(tmp_path)
    assert all(torch.equal(cache.read(key(number))["latents"], value(number)) for number in range(40))
    assert [path.name for path in shards(tmp_path) if path.name.startswith(".")] == []
    assert leftover not in (tmp_path / "users").iterdir()


# ---- removing ---------------------------------------------------------------------------------------------------------


def test_oldest_shards_go_first_and_those_of_living_runs_stay(tmp_path: Path) -> None:
    for number in range(4):
        filled(tmp_path, range(number, number + 1))
        os.utime(shards(tmp_path)[number], (number, number))
    names = shards(tmp_path)
    living = EncodingCache(tmp_path)
    living.keep([key(1)])
    os.utime(names[1], (1, 1))
    one = names[0].stat().st_size
    assert [shard.path for shard in prune(tmp_path, limit_bytes=2 * one)] == [names[0], names[2]]
    assert [(shard.path, shard.is_needed) for shard in shards_in(tmp_path)] == [(names[1], True), (names[3], False)]
    assert prune(tmp_path, limit_bytes=2 * one) == []
    living.close()
    assert len(prune(tmp_path, limit_bytes=0)) == 2


def test_what_a_living_run_writes_stays(tmp_path: Path) -> None:
    living = EncodingCache(tmp_path)
    living.keep([])
    living.write(key(1), {"latents": value(1)})
    living.flush()
    assert prune(tmp_path, limit_bytes=0) == []


def test_use_is_remembered_as_the_time_of_the_file(tmp_path: Path) -> None:
    filled(tmp_path, range(1))
    os.utime(shards(tmp_path)[0], (1, 1))
    EncodingCache(tmp_path).keep([key(0)])
    assert shards_in(tmp_path)[0].used_at == pytest.approx(time.time(), abs=60)


def test_nothing_is_removed_while_a_run_looks_for_encodings(tmp_path: Path) -> None:
    looking = EncodingCache(tmp_path)
    with pytest.raises(CacheInUse):
        prune(tmp_path, limit_bytes=0)
    looking.close()
    assert prune(tmp_path, limit_bytes=0) == []
