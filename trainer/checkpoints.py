"""The checkpoint folders of a run directory. A kill at any instant leaves every earlier checkpoint whole.

checkpoint-40.partial/   being written; removed at the next start
checkpoint-40/           complete: its .complete, written last, has the digest of every file
checkpoint-40.removed/   being removed
checkpoint-40.damaged/   found not to match its digests at a resume; kept for people to look at
checkpoint-40.aside/     made after the one that a run was told to go on from; kept for people to look at
weights.partial/         the final weights being written; removed at the next start

A checkpoint with a file named .pinned in it is never removed, nor is the best one: the one with the lowest held-out loss or,
where none was measured, the lowest mean loss of training since the checkpoint before.
"""

import json
import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

from trainer.wire import PINNED_MARK

COMPLETION_MARK = ".complete"
STATE_FILE = "state.json"
PARTIAL_WEIGHTS = "weights.partial"
NAME = re.compile(r"checkpoint-(\d+)")
LEFTOVER = re.compile(r"checkpoint-\d+\.(partial|removed)|weights\.partial")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    step: int
    path: Path
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run was like when a checkpoint was saved; None for what an earlier version did not write down.

    mean_loss: of the steps since the checkpoint before. eval_loss: the held-out loss, where it was measured since then.
    is_rolling: a further one, which the next of its kind replaces. config: all options. data: a digest of what is shown,
    see LoadedData.
    """

    step: int
    effective_batch_size: int | None = None
    num_processes: int | None = None
    learning_rate: float | None = None
    total_steps: int | None = None
    mean_loss: float | None = None
    eval_loss: float | None = None
    is_rolling: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    data: str | None = None


class Checkpoints:
    """limit, rolling_limit: how many of each kind are kept, the oldest going first; a limit of 0 is none. Pinned ones do
    not count, and the best stays even when it is among the oldest. keeps_damaged: they are set aside, not removed."""

    def __init__(self, run_dir: Path, *, limit: int, rolling_limit: int = 1, keeps_damaged: bool = True) -> None:
        self._run_dir = run_dir
        self._limit = limit
        self._rolling_limit = rolling_limit
        self._keeps_damaged = keeps_damaged

    def steps(self) -> list[int]:
        """The steps of all complete checkpoints, oldest first."""
        return [step for step in self._all_steps() if (self.folder(step) / COMPLETION_MARK).is_file()]

    def folder(self, step: int) -> Path:
        return self._run_dir / f"checkpoint-{step}"

    def facts(self, step: int) -> Facts:
        """Only the step, where the file is damaged: that must not end a run that is saving another checkpoint."""
        try:
            written = json.loads((self.folder(step) / STATE_FILE).read_text())
        except (OSError, ValueError):
            return Facts(step=step)
        known = {each.name for each in fields(Facts)}
        return Facts(**{name: value for name, value in written.items() if name in known})

    def best(self) -> Facts | None:
        """Of those with a held-out loss when there are any; None while nothing is known of any."""
        found = [self.facts(step) for step in self.steps()]
        measured = [each for each in found if each.eval_loss is not None and math.isfinite(each.eval_loss)]
        if measured:
            return min(measured, key=lambda each: each.eval_loss or 0)
        return min(
            (each for each in found if each.mean_loss is not None), key=lambda each: each.mean_loss or 0, default=None
        )

    def remove_leftovers(self) -> None:
        """Only while no trainer is saving here."""
        for path in self._run_dir.iterdir():
            if LEFTOVER.fullmatch(path.name):
                shutil.rmtree(path)

    def set_damaged_aside(self) -> list[int]:
        """Rename, or remove, the newest checkpoints that do not match their digests, down to one that does; returns their
        steps."""
        damaged = []
        for step in reversed(self._all_steps()):
            if _is_whole(self.folder(step)):
                break
            if self._keeps_damaged:
                self._set_aside(step, ".damaged")
            else:
                self._remove(step)
            damaged.append(step)
        return damaged

    def set_later_aside(self, step: int) -> list[int]:
        """Rename those after a step, which belong to a way that the run does not go any more; returns their steps."""
        later = [each for each in self._all_steps() if each > step]
        for each in later:
            self._set_aside(each, ".aside")
        return later

    def save(self, facts: Facts, write: Callable[[Path], None]) -> Checkpoint:
        """Write a checkpoint with what `write` puts into the folder it is given."""
        step = facts.step
        path, partial = self.folder(step), self.folder(step).with_suffix(".partial")
        partial.mkdir()
        try:
            write(partial)
            (partial / STATE_FILE).write_text(json.dumps(asdict(facts), indent=2))
            _mark_complete(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(path)
        sync(self._run_dir)
        return Checkpoint(step=step, path=path, size_bytes=self.size_bytes(step))

    def remove_beyond_limit(self) -> list[int]:
        """Remove the oldest of each kind until its limit holds; returns their steps."""
        counted = [self.facts(step) for step in self.steps() if not self.is_pinned(step)]
        regular = [each.step for each in counted if not each.is_rolling]
        rolling = [each.step for each in counted if each.is_rolling]
        best = self.best()
        too_many = regular[: -self._limit] if self._limit else []
        oldest = sorted((*too_many, *rolling[: -self._rolling_limit]))
        beyond = [step for step in oldest if best is None or step != best.step]
        for step in beyond:
            self._remove(step)
        return beyond

    def is_pinned(self, step: int) -> bool:
        return (self.folder(step) / PINNED_MARK).exists()

    def is_whole(self, step: int) -> bool:
        return _is_whole(self.folder(step))

    def size_bytes(self, step: int) -> int:
        """Of what was saved, without the marks."""
        files = _files_in(self.folder(step))
        return sum(file.stat().st_size for file in files if file.name not in (COMPLETION_MARK, PINNED_MARK))

    def _remove(self, step: int) -> None:
        removed = self.folder(step).with_suffix(".removed")
        self.folder(step).rename(removed)
        shutil.rmtree(removed)

    def _set_aside(self, step: int, suffix: str) -> None:
        aside = self.folder(step).with_suffix(suffix)
        shutil.rmtree(aside, ignore_errors=True)
        self.folder(step).rename(aside)

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
