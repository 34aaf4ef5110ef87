"""The journal's lock and lines, and the requests read beside it."""

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainer.errors import AlreadyRunning
from trainer.inbox import STOP_SIGNALS, RequestInbox, Wish
from trainer.journal import RESERVE_BYTES, RESERVE_FILE, JournalFile, phase
from trainer.wire import (
    JOURNAL_FILE,
    REQUESTS_FILE,
    TRAINER_LOCK_FILE,
    Ended,
    Logged,
    Message,
    PhaseChanged,
    Planned,
    SaveCheckpoint,
    StepDone,
    Stop,
    Validate,
    append_line,
    decode_message,
    read_lines,
)

NOW = 1.0


def lines_in(run_dir: Path) -> list[Message]:
    return [decode_message(line) for _, line in read_lines(run_dir / JOURNAL_FILE)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalFile]:
    with JournalFile(tmp_path) as journal:
        yield journal


@pytest.fixture
def inbox(tmp_path: Path, journal: JournalFile) -> Iterator[RequestInbox]:
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield RequestInbox(tmp_path, journal)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_second_journal_of_a_run_directory_is_refused(tmp_path: Path, journal: JournalFile) -> None:
    with pytest.raises(AlreadyRunning, match=str(tmp_path)):
        JournalFile(tmp_path)


def test_end_is_told_on_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is as much space as is kept for it."""
    write = os.write

    def full(file: int, content: bytes) -> int:
        if (tmp_path / RESERVE_FILE).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    ended = Ended(at=NOW, outcome="failed", step=1, reason="the disk is full")
    with JournalFile(tmp_path) as journal:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append(StepDone(at=NOW, step=1, epoch=1))
        journal.append(ended)
        monkeypatch.undo()
    assert lines_in(tmp_path) == [ended]
    with JournalFile(tmp_path):
        assert (tmp_path / RESERVE_FILE).stat().st_size == RESERVE_BYTES
    assert not (tmp_path / RESERVE_FILE).exists()


def test_lock_is_free_after_the_end(tmp_path: Path) -> None:
    JournalFile(tmp_path).close()
    with (tmp_path / TRAINER_LOCK_FILE).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_unfinished_line_of_a_killed_trainer_is_cut(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_FILE).write_bytes(b'{"type":"step","at":1,"st')
    with JournalFile(tmp_path) as journal:
        journal.append(Logged(at=NOW, level="info", message="hello"))
    assert lines_in(tmp_path) == [Logged(at=NOW, level="info", message="hello")]


def test_step_is_that_of_the_newest_message(journal: JournalFile) -> None:
    assert journal.step == 0
    journal.append(
        Planned(
            at=NOW,
            total_steps=9,
            steps_per_epoch=3,
            num_images=3,
            effective_batch_size=1,
            num_trainable_parameters=1,
            resumed_from_step=4,
        )
    )
    assert journal.step == 4
    journal.append(StepDone(at=NOW, step=5, epoch=2))
    assert journal.step == 5


def test_phase_is_told_at_its_begin_and_end_and_seldom_between(tmp_path: Path, journal: JournalFile) -> None:
    with phase(journal, "encode_images", total=1000) as progress:
        for _ in range(1000):
            progress.advance()
    told = [message for message in lines_in(tmp_path) if isinstance(message, PhaseChanged)]
    assert (told[0].progress, told[0].ended) == (0, False)
    assert (told[-1].progress, told[-1].total, told[-1].ended) == (1000, 1000, True)
    assert len(told) < 20


def test_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """A file size limit makes the kernel take part of the line, as a full disk does."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        import resource  # noqa: PLC0415 - only in the child

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with JournalFile(tmp_path) as journal:
            journal.append(Logged(at=NOW, level="info", message="whole"))
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            try:
                journal.append(Logged(at=NOW, level="info", message="x" * 200))
            except OSError as error:
                os.write(write_end, str(error.errno).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert int(os.read(read_end, 10)) == 28
    assert lines_in(tmp_path) == [Logged(at=NOW, level="info", message="whole")]
    assert (tmp_path / JOURNAL_FILE).read_bytes().endswith(b"\n")


# ---- requests ---------------------------------------------------------------------------------------------------------


def test_requests_are_taken_once(tmp_path: Path, inbox: RequestInbox) -> None:
    append_line(tmp_path / REQUESTS_FILE, SaveCheckpoint(at=NOW))
    append_line(tmp_path / REQUESTS_FILE, Validate(at=NOW))
    assert inbox.take() == Wish.SAVE | Wish.VALIDATE
    assert inbox.take() == Wish.NOTHING
    append_line(tmp_path / REQUESTS_FILE, Validate(at=NOW))
    assert inbox.take() == Wish.VALIDATE


def test_stop_is_asked_for_until_the_end(tmp_path: Path, inbox: RequestInbox) -> None:
    append_line(tmp_path / REQUESTS_FILE, Stop(at=NOW, save=False))
    assert inbox.take() == Wish.STOP
    assert inbox.wants_stop()
    assert inbox.take() == Wish.STOP


def test_looking_for_a_stop_leaves_other_requests(tmp_path: Path, inbox: RequestInbox) -> None:
    append_line(tmp_path / REQUESTS_FILE, SaveCheckpoint(at=NOW))
    assert not inbox.wants_stop()
    assert inbox.take() == Wish.SAVE


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signal_asks_to_save_and_stop(inbox: RequestInbox, number: int) -> None:
    os.kill(os.getpid(), number)
    assert inbox.take() == Wish.STOP | Wish.SAVE


def test_closed_terminal_means_nothing_under_nohup(tmp_path: Path, journal: JournalFile) -> None:
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    inbox = RequestInbox(tmp_path, journal)
    os.kill(os.getpid(), signal.SIGHUP)
    assert inbox.take() == Wish.NOTHING
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_malformed_request_is_skipped_with_a_warning(tmp_path: Path, inbox: RequestInbox) -> None:
    (tmp_path / REQUESTS_FILE).write_bytes(b'nonsense\n[]\n{"type":"dance","at":1}\n{"type":"validate","at":1}\n{"typ')
    assert inbox.take() == Wish.VALIDATE
    warnings = [message for message in lines_in(tmp_path) if isinstance(message, Logged)]
    assert [message.level for message in warnings] == ["warning"] * 3
    assert all(message.message.startswith("a request was skipped: ") for message in warnings)
