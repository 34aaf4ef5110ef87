"""A checkpoint is whole or not there, whatever happens while one is saved."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.checkpoints import COMPLETION_MARK, Checkpoints

ROOT = Path(__file__).parents[2]


def writer_of(content: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "weights").write_text(content)
        (folder / "state").write_text(content)

    return write


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path, limit=2)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_saved_checkpoint_is_whole(tmp_path: Path, checkpoints: Checkpoints) -> None:
    saved = checkpoints.save(10, writer_of("ten"))
    assert (saved.step, saved.path, saved.size_bytes) == (10, tmp_path / "checkpoint-10", 6)
    assert names_in(saved.path) == [COMPLETION_MARK, "state", "weights"]
    assert checkpoints.steps() == [10]
    assert checkpoints.set_damaged_aside() == []


def test_steps_are_ordered_as_numbers(checkpoints: Checkpoints) -> None:
    for step in (100, 20, 3):
        checkpoints.save(step, writer_of("x"))
    assert checkpoints.steps() == [3, 20, 100]


def test_oldest_beyond_the_limit_are_removed(tmp_path: Path, checkpoints: Checkpoints) -> None:
    for step in (10, 20, 30, 40):
        checkpoints.save(step, writer_of("x"))
    assert checkpoints.remove_beyond_limit() == [10, 20]
    assert names_in(tmp_path) == ["checkpoint-30", "checkpoint-40"]


def test_within_the_limit_nothing_is_removed(checkpoints: Checkpoints) -> None:
    checkpoints.save(10, writer_of("x"))
    assert checkpoints.remove_beyond_limit() == []
    assert checkpoints.steps() == [10]


def test_writer_that_fails_leaves_the_earlier_checkpoint(tmp_path: Path, checkpoints: Checkpoints) -> None:
    checkpoints.save(10, writer_of("ten"))

    def fill_the_disk(folder: Path) -> None:
        (folder / "weights").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoints.save(20, fill_the_disk)
    assert names_in(tmp_path) == ["checkpoint-10"]


@pytest.mark.parametrize("sync_that_kills", range(1, 5))
def test_kill_while_saving_leaves_the_earlier_checkpoint_whole(tmp_path: Path, sync_that_kills: int) -> None:
    """The process dies for real at each point where something has just reached the disk."""
    code = """
import os, signal, sys
from pathlib import Path
import trainer.checkpoints as module
checkpoints = module.Checkpoints(Path(sys.argv[1]), limit=2)
write = lambda folder: [(folder / name).write_text(name) for name in ("weights", "state")]
checkpoints.save(10, write)
fsync, left = os.fsync, int(sys.argv[2])
def fsync_and_die(opened):
    global left
    fsync(opened)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync_and_die
checkpoints.save(20, write)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(sync_that_kills)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    checkpoints = Checkpoints(tmp_path, limit=2)
    assert checkpoints.steps() == [10]
    assert checkpoints.set_damaged_aside() == []
    assert names_in(tmp_path) == ["checkpoint-10", "checkpoint-20.partial"]
    checkpoints.remove_leftovers()
    assert names_in(tmp_path) == ["checkpoint-10"]
    checkpoints.save(20, writer_of("again"))
    assert checkpoints.steps() == [10, 20]


@pytest.mark.parametrize("name", ["weights", "state", COMPLETION_MARK])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_newest_is_set_aside(tmp_path: Path, checkpoints: Checkpoints, name: str, damage: str) -> None:
    checkpoints.save(10, writer_of("ten"))
    checkpoints.save(20, writer_of("twenty"))
    path = tmp_path / "checkpoint-20" / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-2] if damage == "cut" else b"?" + content[1:])
    assert checkpoints.set_damaged_aside() == [20]
    assert checkpoints.steps() == [10]


def test_every_damaged_one_down_to_a_whole_one_is_set_aside(tmp_path: Path, checkpoints: Checkpoints) -> None:
    for step in (10, 20, 30):
        checkpoints.save(step, writer_of("x"))
    for step in (20, 30):
        (tmp_path / f"checkpoint-{step}" / "state").unlink()
    assert checkpoints.set_damaged_aside() == [30, 20]
    assert checkpoints.steps() == [10]
    checkpoints.save(20, writer_of("again"))
    assert checkpoints.steps() == [10, 20]
