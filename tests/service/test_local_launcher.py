"""Ending what is alive of a run, whatever it is doing; the processes are real, the work is not."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.launchers import local
from trainer.wire import OUTPUT_FILE, leave_failure

TRAINER = """
import sys, time
from pathlib import Path
from trainer.journal import JournalFile
with JournalFile(Path(sys.argv[1])):
    time.sleep(600)
"""


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A trainer that holds its lock and has not said anything yet."""
    process = subprocess.Popen([sys.executable, "-c", TRAINER, str(tmp_path)])
    wait_until(tmp_path, is_alive=True)
    yield process
    process.kill()
    process.wait()


def wait_until(run_dir: Path, *, is_alive: bool) -> None:
    deadline = time.monotonic() + 20
    while local.is_alive(run_dir) is not is_alive:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_trainer_that_has_said_nothing_can_be_killed(tmp_path: Path, trainer: "subprocess.Popen[bytes]") -> None:
    local.kill(tmp_path)
    assert trainer.wait(timeout=5) == -9
    assert not local.is_alive(tmp_path)


def test_launched_run_can_be_killed_before_its_trainer_is_there(tmp_path: Path) -> None:
    launched = local.launch(tmp_path, num_processes=1, devices=(), environment={"PATH": "/usr/bin:/bin"})
    assert local.is_alive(tmp_path)
    local.kill(tmp_path)
    assert launched.process is not None
    launched.process.wait(timeout=60)
    wait_until(tmp_path, is_alive=False)


TORCHRUN = "trainer FAILED\n Root Cause:\n  exitcode  : {}\n  traceback : {}\n{}\n"


@pytest.mark.parametrize(
    ("printed", "left", "told"),
    [
        (TORCHRUN.format(-9, "Signal 9 (SIGKILL) received by PID 7", "=" * 60), None, ": it was ended by SIGKILL, as"),
        (TORCHRUN.format(-15, "Signal 15 (SIGTERM) received by PID 7", "=" * 60), None, ": it was ended by SIGTERM"),
        ("trainer: the disk is full\n" + TORCHRUN.format(1, "-", "=" * 60), None, ": the disk is full"),
        (
            TORCHRUN.format(-9, "Signal 9 (SIGKILL) received by PID 7", "="),
            "out of memory; lower",
            ": out of memory; lower",
        ),
        ("Segmentation fault\n====\n", None, "; the last it printed was: Segmentation fault"),
        ("", None, ""),
    ],
)
def test_end_without_a_last_word_is_told_by_what_there_is(
    tmp_path: Path, printed: str, left: str | None, told: str
) -> None:
    (tmp_path / OUTPUT_FILE).write_bytes(b"trainer: an earlier start\n" + local.START_MARK + printed.encode())
    if left is not None:
        leave_failure(tmp_path, process=1, reason=left)
    how = local.how_it_ended(tmp_path)
    assert how.startswith(told)
    assert bool(how) == bool(told)


def test_killing_what_is_dead_does_nothing(tmp_path: Path) -> None:
    local.kill(tmp_path, is_last_resort=True)
    assert not local.is_alive(tmp_path)
