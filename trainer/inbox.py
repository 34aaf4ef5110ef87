"""What somebody asks of a running trainer: lines of RUN_DIR/requests.jsonl, and signals."""

import signal
from enum import IntFlag
from pathlib import Path
from types import FrameType
from typing import Protocol

from trainer.journal import Journal, log
from trainer.wire import REQUESTS_FILE, SaveCheckpoint, Stop, Validate, WireError, decode_request, read_lines

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Wish(IntFlag):
    """What was asked for, to be done after the current step; STOP | SAVE saves first."""

    NOTHING = 0
    STOP = 1
    SAVE = 2
    VALIDATE = 4
    TELL = 8
    """What was measured; the main process asks that of itself."""


class Inbox(Protocol):
    """Where wishes come from: file and signals for the main process, nowhere for the others."""

    def take(self) -> Wish:
        """Everything asked for since the last call; a stop is asked for until the end."""
        ...

    def wants_stop(self) -> bool:
        """Whether the end was asked for, with everything left to be taken."""
        ...


class SilentInbox:
    """The inbox of every process but the main one, which decides for all of them."""

    def __init__(self) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def take(self) -> Wish:
        return Wish.NOTHING

    def wants_stop(self) -> bool:
        return False


class RequestInbox:
    """The main process's inbox. SIGTERM and SIGINT mean: save and stop, and so does SIGHUP, when the terminal is closed, unless
    nohup says that it means nothing."""

    def __init__(self, run_dir: Path, journal: Journal) -> None:
        self._path = run_dir / REQUESTS_FILE
        self._journal = journal
        self._offset = 0
        self._wishes = Wish.NOTHING
        self._is_signalled = False
        for number in STOP_SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def take(self) -> Wish:
        wishes = self._look()
        self._wishes = wishes if Wish.STOP in wishes else Wish.NOTHING
        return wishes

    def wants_stop(self) -> bool:
        return Wish.STOP in self._look()

    def _look(self) -> Wish:
        for offset, line in read_lines(self._path, offset=self._offset):
            self._offset = offset
            self._wishes |= self._read(line)
        if self._is_signalled:
            self._wishes |= Wish.STOP | Wish.SAVE
        return self._wishes

    def _read(self, line: bytes) -> Wish:
        try:
            request = decode_request(line)
        except WireError as error:
            log(self._journal, "warning", f"a request was skipped: {error}")
            return Wish.NOTHING
        match request:
            case Stop(save=True):
                return Wish.STOP | Wish.SAVE
            case Stop():
                return Wish.STOP
            case SaveCheckpoint():
                return Wish.SAVE
            case Validate():
                return Wish.VALIDATE

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_signalled = True
