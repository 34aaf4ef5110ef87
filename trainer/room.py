"""Room on the disk before a checkpoint is written, and what is done about too little of it."""

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.inbox import Inbox
from trainer.journal import Journal, log

SECONDS_BETWEEN_LOOKS = 1.0
GIB = 2**30
PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR")
"""What the command knows of this process' environment, which has the secrets of who started the run: perhaps not of who wrote
the command."""


STOPPED = "the run is stopped without the checkpoint that there was no room for"


def make_room(config: TrainingConfig, run_dir: Path, *, journal: Journal, inbox: Inbox) -> bool:
    """Whether there is as much as disk_low_threshold says; not, when the end was asked for while waiting for it.

    Raises TrainingError when there is none, and nothing that could make some.
    """
    needed = config.disk_low_bytes
    if needed is None or _free(run_dir) >= needed:
        return True
    match config.disk_low_action:
        case "wait":
            return _waited(run_dir, needed, journal=journal, inbox=inbox)
        case "script" if config.disk_low_script:
            log(journal, "warning", f"{_said(run_dir, needed)}; running disk_low_script")
            if not _run(config.disk_low_script, run_dir, inbox=inbox):
                log(journal, "warning", STOPPED)
                return False
            if _free(run_dir) >= needed:
                return True
            raise _too_little(run_dir, needed, "also after disk_low_script")
        case _:
            raise _too_little(run_dir, needed, "so no checkpoint was written")


def _waited(run_dir: Path, needed: int, *, journal: Journal, inbox: Inbox) -> bool:
    log(journal, "warning", f"{_said(run_dir, needed)}; waiting until there is room")
    while _free(run_dir) < needed:
        if inbox.wants_stop():
            log(journal, "warning", STOPPED)
            return False
        time.sleep(SECONDS_BETWEEN_LOOKS)
    log(journal, "info", "there is room for a checkpoint again")
    return True


def _run(command: str, run_dir: Path, *, inbox: Inbox) -> bool:
    """Whether it ended by itself: it is killed when the end of the run is asked for. Raises TrainingError when it fails."""
    try:
        process = subprocess.Popen(
            shlex.split(command),
            cwd=run_dir,
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except (OSError, ValueError, IndexError) as error:
        raise TrainingError(f"disk_low_script cannot be run: {error}; make the file executable") from error
    while True:
        try:
            printed, _ = process.communicate(timeout=SECONDS_BETWEEN_LOOKS)
            break
        except subprocess.TimeoutExpired:
            if inbox.wants_stop():
                process.kill()
                process.wait()
                return False
    if process.returncode:
        said = " ".join(printed.split())[-300:] or "it printed nothing"
        raise TrainingError(f"disk_low_script ended with status {process.returncode}: {said}")
    return True


def _too_little(run_dir: Path, needed: int, how: str) -> TrainingError:
    return TrainingError(
        f"{_said(run_dir, needed)}, {how}; free some space or lower checkpoints_total_limit, then resume"
    )


def _said(run_dir: Path, needed: int) -> str:
    return f"{_free(run_dir) / GIB:.1f} GiB are free, less than the {needed / GIB:.1f} GiB of disk_low_threshold"


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
