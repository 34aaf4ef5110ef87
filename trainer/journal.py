"""The run's journal: appended by the main process alone, which holds the run directory's lock meanwhile."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from trainer.errors import AlreadyRunning
from trainer.wire import (
    JOURNAL_FILE,
    TRAINER_LOCK_FILE,
    CheckpointRemoved,
    CheckpointSaved,
    Ended,
    Logged,
    Message,
    PhaseChanged,
    Planned,
    StepDone,
    ValidationImageSaved,
    WeightsSaved,
    WireError,
    cut_unfinished_line,
    decode_message,
    encode,
    read_lines,
)

DURABLE = (CheckpointSaved, CheckpointRemoved, WeightsSaved, ValidationImageSaved, Ended)
SECONDS_BETWEEN_PROGRESS = 0.2
LOCK_SECONDS = 1.0

FULL = (errno.ENOSPC, errno.EDQUOT)
RESERVE_FILE = ".journal.reserve"
"""Keeps some space for the last lines, which nothing else on the disk can take."""
RESERVE_BYTES = 1 << 16


class Journal(Protocol):
    """Where messages go: the file for the main process, nowhere for the others.

    step: the newest it was told of. open_phase: which one has not ended, also when it failed.
    """

    step: int
    open_phase: str | None

    def append(self, message: Message) -> None: ...


class SilentJournal:
    """The journal of every process but the main one."""

    step = 0
    open_phase: str | None = None

    def append(self, message: Message) -> None:
        return


class JournalFile:
    """Appends messages to RUN_DIR/journal.jsonl and holds the run directory's lock while it is open.

    Opening raises AlreadyRunning when another trainer holds the lock.
    """

    def __init__(self, run_dir: Path) -> None:
        self._lock = os.open(run_dir / TRAINER_LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _is_taken(self._lock):
            os.close(self._lock)
            raise AlreadyRunning(f"another trainer is at work in {run_dir}; wait for it or stop it, then start again")
        os.ftruncate(self._lock, 0)
        os.write(self._lock, str(os.getpid()).encode())
        self.step = 0
        self.open_phase: str | None = None
        path = run_dir / JOURNAL_FILE
        cut_unfinished_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._reserve = run_dir / RESERVE_FILE
        self._reserve.write_bytes(bytes(RESERVE_BYTES))

    def append(self, message: Message) -> None:
        """One write for each line; facts reach the disk before this returns. The end and why also fit on a full disk."""
        line = encode(message)
        try:
            self._write(line)
        except OSError as error:
            if error.errno not in FULL or not isinstance(message, (Ended, Logged)):
                raise
            self._reserve.unlink(missing_ok=True)
            self._write(line)
        if isinstance(message, DURABLE):
            os.fsync(self._file)
        match message:
            case StepDone(step=step) | Planned(resumed_from_step=int(step)):
                self.step = step

    def _write(self, line: bytes) -> None:
        written = os.write(self._file, line)
        if written < len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        self._reserve.unlink(missing_ok=True)
        os.close(self._file)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_told(run_dir: Path, *kinds: type[Message]) -> Iterator[Message]:
    """What the journal has of some kinds of messages, from all starts; lines that cannot be read are passed over."""
    names = [f'"{kind.TYPE}"'.encode() for kind in kinds]
    offset = 0
    while lines := list(read_lines(run_dir / JOURNAL_FILE, offset=offset)):
        offset = lines[-1][0]
        for _, line in lines:
            if any(name in line for name in names):
                with suppress(WireError):
                    message = decode_message(line)
                    if isinstance(message, kinds):
                        yield message


def log(journal: Journal, level: Literal["info", "warning", "error"], message: str) -> None:
    journal.append(Logged(at=time.time(), level=level, message=message))


class Phase:
    """Progress of something that takes long, told to the journal a few times a second at most."""

    def __init__(self, journal: Journal, name: str, total: int | None) -> None:
        self._journal = journal
        self._name = name
        self._total = total
        self._progress = 0
        self._told_at = 0.0
        self._tell()

    def advance(self, count: int = 1) -> None:
        self._progress = self._progress + count if self._total is None else min(self._progress + count, self._total)
        if time.monotonic() - self._told_at >= SECONDS_BETWEEN_PROGRESS:
            self._tell()

    def expect(self, total: int) -> None:
        """Of what was begun before it was known."""
        self._total = total

    def end(self) -> None:
        self._tell(ended=True)

    def _tell(self, *, ended: bool = False) -> None:
        self._told_at = time.monotonic()
        self._journal.append(
            PhaseChanged(at=time.time(), phase=self._name, progress=self._progress, total=self._total, ended=ended)
        )


@contextmanager
def phase(journal: Journal, name: str, *, total: int | None = None) -> Iterator[Phase]:
    """Tells the begin, the progress and the end of a phase; one that failed is not told to have ended."""
    around = journal.open_phase
    running = Phase(journal, name, total)
    journal.open_phase = name
    yield running
    running.end()
    journal.open_phase = around


def _is_taken(lock: int) -> bool:
    """Whether the lock is ours now. Whoever looks if it is held has it for an instant, so one refusal says little."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOCK_SECONDS / 100)
        else:
            return True
