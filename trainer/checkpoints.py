"""The checkpoint folders of a run directory. A kill at any instant leaves every earlier checkpoint whole.

checkpoint-40.partial/   being written; removed at the next start
checkpoint-40/           complete: its .complete, written last, has the digest of every file
checkpoint-40.removed/   being removed
checkpoint-40.damaged/   found not to match its digests at a resume; kept for people to look at
weights.partial/         the final weights being written; removed at the next start
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

COMPLETION_MARK = ".complete"
PARTIAL_WEIGHTS = "weights.partial"
NAME = re.compile(r"checkpoint-(\d+)")
LEFTOVER = re.compile(r"checkpoint-\d+\.(partial|removed)|weights\.partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    step: int
    path: Path
    size_bytes: int


class Checkpoints:
    """limit: how many are kept; the oldest go first."""

    def __init__(self, run_dir: Path, *, limit: int) -> None:
        self._run_dir = run_dir
        self._limit = limit

    def steps(self) -> list[int]:
        """The steps of all complete checkpoints, oldest first."""
        return [step for step in self._all_steps() if (self.folder(step) / COMPLETION_MARK).is_file()]

    def folder(self, step: int) -> Path:
        return self._run_dir / f"checkpoint-{step}"

    def remove_leftovers(self) -> None:
        """Only while no trainer is saving here."""
        for path in self._run_dir.iterdir():
            if LEFTOVER.fullmatch(path.name):
                shutil.rmtree(path)

    def set_damaged_aside(self) -> list[int]:
        """Rename the newest checkpoints that do not match their digests, down to one that does; returns their steps."""
        damaged = []
        for step in reversed(self._all_steps()):
            if _is_whole(self.folder(step)):
                break
            aside = self.folder(step).with_suffix(".damaged")
            shutil.rmtree(aside, ignore_errors=True)
            self.folder(step).rename(aside)
            damaged.append(step)
        return damaged

    def save(self, step: int, write: Callable[[Path], None]) -> Checkpoint:
        """Write a checkpoint with what `write` puts into the folder it is given."""
        path, partial = self.folder(step), self.folder(step).with_suffix(".partial")
        partial.mkdir()
        try:
            write(partial)
            size_bytes = sum(file.stat().st_size for file in _files_in(partial))
            _mark_complete(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(path)
        sync(self._run_dir)
        return Checkpoint(step=step, path=path, size_bytes=size_bytes)

    def remove_beyond_limit(self) -> list[int]:
        """Remove the oldest until the limit holds; returns their steps."""
        beyond = self.steps()[: -self._limit]
        for step in beyond:
            removed = self.folder(step).with_suffix(".removed")
            self.folder(step).rename(removed)
            shutil.rmtree(removed)
        return beyond

    def _all_steps(self) -> list[int]:
        matches = [NAME.fullmatch(path.name) for path in self._run_dir.iterdir()]
        return sorted(int(match[1]) for match in matches if match)


def sync(path: Path) -> None:
    """Make a file's content or a folder's entries reach the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def keep_weights(run_dir: Path, write: Callable[[Path], Path]) -> Path:
    """Put what `write` writes into the folder it is given into the run's directory, in the place of what is there; returns
    the path of the file that it returns."""
    partial = run_dir / PARTIAL_WEIGHTS
    partial.mkdir()
    main_file = run_dir / write(partial).relative_to(partial)
    for path in _files_in(partial):
        sync(path)
        sync(path.parent)
    for entry in partial.iterdir():
        kept = run_dir / entry.name
        if kept.is_dir():
            shutil.rmtree(kept)
        entry.rename(kept)
    partial.rmdir()
    sync(run_dir)
    return main_file


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _mark_complete(folder: Path) -> None:
    digests = {}
    for path in _files_in(folder):
        digests[path.relative_to(folder).as_posix()] = _digest_of(path)
        sync(path)
        sync(path.parent)
    mark = folder / COMPLETION_MARK
    mark.write_text(json.dumps(digests, indent=2))
    sync(mark)
    sync(folder)


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / COMPLETION_MARK).read_text())
        return bool(digests) and all(_digest_of(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        digest = blake2b(digest_size=16)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
