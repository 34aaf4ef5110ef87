"""A checkpoint is whole or not there, whatever happens while one is saved."""

import math
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.checkpoints import COMPLETION_MARK, STATE_FILE, Checkpoints, Facts
from trainer.wire import PINNED_MARK

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
    saved = checkpoints.save(Facts(step=10), writer_of("ten"))
    assert (saved.step, saved.path) == (10, tmp_path / "checkpoint-10")
    assert names_in(saved.path) == [COMPLETION_MARK, "state", STATE_FILE, "weights"]
    assert saved.size_bytes == 6 + (saved.path / STATE_FILE).stat().st_size
    assert checkpoints.steps() == [10]
    assert checkpoints.set_damaged_aside() == []


def test_steps_are_ordered_as_numbers(checkpoints: Checkpoints) -> None:
    for step in (100, 20, 3):
        checkpoints.save(Facts(step=step), writer_of("x"))
    assert checkpoints.steps() == [3, 20, 100]


def test_oldest_beyond_the_limit_are_removed(tmp_path: Path, checkpoints: Checkpoints) -> None:
    for step in (10, 20, 30, 40):
        checkpoints.save(Facts(step=step), writer_of("x"))
    assert checkpoints.remove_beyond_limit() == [10, 20]
    assert names_in(tmp_path) == ["checkpoint-30", "checkpoint-40"]


def test_within_the_limit_nothing_is_removed(checkpoints: Checkpoints) -> None:
    checkpoints.save(Facts(step=10), writer_of("x"))
    assert checkpoints.remove_beyond_limit() == []
    assert checkpoints.steps() == [10]


def test_without_a_limit_nothing_is_removed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, limit=0)
    for step in (10, 20, 30):
        checkpoints.save(Facts(step=step), writer_of("x"))
    assert checkpoints.remove_beyond_limit() == []
    assert checkpoints.steps() == [10, 20, 30]


def test_pinned_ones_stay_and_do_not_count(tmp_path: Path, checkpoints: Checkpoints) -> None:
    for step in (10, 20, 30, 40):
        checkpoints.save(Facts(step=step), writer_of("x"))
    for step in (10, 40):
        (tmp_path / f"checkpoint-{step}" / PINNED_MARK).touch()
    checkpoints.save(Facts(step=50), writer_of("x"))
    assert checkpoints.remove_beyond_limit() == [20]
    (tmp_path / "checkpoint-10" / PINNED_MARK).unlink()
    assert checkpoints.remove_beyond_limit() == [10]
    assert checkpoints.steps() == [30, 40, 50]
    assert checkpoints.set_damaged_aside() == []


@pytest.mark.parametrize(
    ("mean_losses", "eval_losses", "best"),
    [
        ((0.3, 0.1, 0.2, 0.4), (None, None, None, None), 20),
        ((0.3, 0.1, 0.2, 0.4), (0.5, None, 0.7, 0.6), 10),
        ((0.3, 0.1, 0.2, 0.4), (math.nan, None, 0.7, 0.6), 40),
        ((None, None, None, 0.4), (None, None, None, None), 40),
        ((None, None, None, None), (None, None, None, None), None),
    ],
)
def test_best_stays_even_when_it_is_the_oldest(
    checkpoints: Checkpoints,
    mean_losses: tuple[float | None, ...],
    eval_losses: tuple[float | None, ...],
    best: int | None,
) -> None:
    for step, mean_loss, eval_loss in zip((10, 20, 30, 40), mean_losses, eval_losses, strict=True):
        checkpoints.save(Facts(step=step, mean_loss=mean_loss, eval_loss=eval_loss), writer_of("x"))
    found = checkpoints.best()
    assert (found and found.step) == best
    checkpoints.remove_beyond_limit()
    assert checkpoints.steps() == sorted({30, 40} | ({best} if best else set()))


def test_rolling_ones_have_a_limit_of_their_own(checkpoints: Checkpoints) -> None:
    for step in (10, 15, 20, 25, 30):
        checkpoints.save(Facts(step=step, is_rolling=step % 10 > 0), writer_of("x"))
    assert checkpoints.remove_beyond_limit() == [10, 15]


def test_facts_are_read_as_they_were_saved(tmp_path: Path, checkpoints: Checkpoints) -> None:
    facts = Facts(step=10, effective_batch_size=4, num_processes=2, learning_rate=1e-4, total_steps=100, mean_loss=0.5)
    checkpoints.save(facts, writer_of("x"))
    assert checkpoints.facts(10) == facts
    (tmp_path / "checkpoint-10" / STATE_FILE).write_text('{"step": 10, "effective_batch_size": 4, "later": 1}')
    assert checkpoints.facts(10) == Facts(step=10, effective_batch_size=4)
    (tmp_path / "checkpoint-10" / STATE_FILE).write_text("{")
    assert checkpoints.facts(10) == Facts(step=10)


def test_later_ones_are_set_aside(tmp_path: Path, checkpoints: Checkpoints) -> None:
    for step in (10, 20, 30):
        checkpoints.save(Facts(step=step), writer_of("x"))
    assert checkpoints.set_later_aside(10) == [20, 30]
    assert names_in(tmp_path) == ["checkpoint-10", "checkpoint-20.aside", "checkpoint-30.aside"]


def test_writer_that_fails_leaves_the_earlier_checkpoint(tmp_path: Path, checkpoints: Checkpoints) -> None:
    checkpoints.save(Facts(step=10), writer_of("ten"))

    def fill_the_disk(folder: Path) -> None:
        (folder / "weights").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoints.save(Facts(step=20), fill_the_disk)
    assert names_in(tmp_path) == ["checkpoint-10"]


@pytest.mark.parametrize("sync_that_kills", range(1, 6))
def test_kill_while_saving_leaves_the_earlier_checkpoint_whole(tmp_path: Path, sync_that_kills: int) -> None:
    """The process dies for real at each point where something has just reached the disk."""
    code = """
import os, signal, sys
from pathlib import Path
import trainer.checkpoints as module
checkpoints = module.Checkpoints(Path(sys.argv[1]), limit=2)
write = lambda folder: [(folder / name).write_text(name) for name in ("weights", "state")]
checkpoints.save(module.Facts(step=10), write)
fsync, left = os.fsync, int(sys.argv[2])
def fsync_and_die(opened):
    global left
    fsync(opened)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync_and_die
checkpoints.save(module.Facts(step=20), write)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(sync_that_kills)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    checkpoints = Checkpoints(tmp_path, limit=2)
    assert checkpoints.steps() == [10]
    assert checkpoints.set_damaged_aside() == []
    assert names_in(tmp_path) == ["checkpoint-10", "checkpoint-20.partial"]
    checkpoints.remove_leftovers()
    assert names_in(tmp_path) == ["checkpoint-10"]
    checkpoints.save(Facts(step=20), writer_of("again"))
    assert checkpoints.steps() == [10, 20]


def test_kill_at_any_moment_leaves_every_step_but_the_newest_whole(tmp_path: Path) -> None:
    """A process that saves and removes as fast as it can, killed at random moments and started again."""
    code = """
import sys
from pathlib import Path
from trainer.checkpoints import Checkpoints, Facts
checkpoints = Checkpoints(Path(sys.argv[1]), limit=2)
checkpoints.remove_leftovers()
assert not checkpoints.set_damaged_aside()
step = max(checkpoints.steps(), default=0)
assert checkpoints.steps() == list(range(step - len(checkpoints.steps()) + 1, step + 1))
print(step, flush=True)
while True:
    step += 1
    checkpoints.save(Facts(step=step), lambda folder: [(folder / name).write_text(name * 50_000) for name in "abcd"])
    print(step, flush=True)
    checkpoints.remove_beyond_limit()
"""
    chance = random.Random(0)
    saved = 0
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        found = int(process.stdout.readline() or -1)
        assert found >= saved, process.communicate()
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        told, _ = process.communicate()
        saved = max(found, *map(int, told.split()), 0)
    checkpoints = Checkpoints(tmp_path, limit=2)
    assert checkpoints.set_damaged_aside() == []
    assert checkpoints.steps()[-1] >= saved > 8


@pytest.mark.parametrize("name", ["weights", "state", COMPLETION_MARK])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_newest_is_set_aside(tmp_path: Path, checkpoints: Checkpoints, name: str, damage: str) -> None:
    checkpoints.save(Facts(step=10), writer_of("ten"))
    checkpoints.save(Facts(step=20), writer_of("twenty"))
    path = tmp_path / "checkpoint-20" / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-2] if damage == "cut" else b"?" + content[1:])
    assert checkpoints.set_damaged_aside() == [20]
    assert checkpoints.steps() == [10]


def test_damaged_ones_are_removed_where_that_is_asked_for(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, limit=2, keeps_damaged=False)
    for step in (10, 20):
        checkpoints.save(Facts(step=step), writer_of("x"))
    (tmp_path / "checkpoint-20" / "state").unlink()
    assert checkpoints.set_damaged_aside() == [20]
    assert names_in(tmp_path) == ["checkpoint-10"]


def test_every_damaged_one_down_to_a_whole_one_is_set_aside(tmp_path: Path, checkpoints: Checkpoints) -> None:
    for step in (10, 20, 30):
        checkpoints.save(Facts(step=step), writer_of("x"))
    for step in (20, 30):
        (tmp_path / f"checkpoint-{step}" / "state").unlink()
    assert checkpoints.set_damaged_aside() == [30, 20]
    assert checkpoints.steps() == [10]
    checkpoints.save(Facts(step=20), writer_of("again"))
    assert checkpoints.steps() == [10, 20]
