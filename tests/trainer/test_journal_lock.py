"""The lock that says a trainer is alive, and those who look whether it is held."""

import fcntl
import os
import threading
from pathlib import Path

from service.launchers.local import is_alive
from trainer.journal import JournalFile
from trainer.wire import TRAINER_LOCK_FILE


def test_service_sees_the_lock_while_it_is_held(tmp_path: Path) -> None:
    with JournalFile(tmp_path):
        assert is_alive(tmp_path)
    assert not is_alive(tmp_path)


def test_somebody_who_only_looks_keeps_no_trainer_out(tmp_path: Path) -> None:
    """To look whether a lock is held is to hold it for an instant; this one takes a little longer."""
    looking = os.open(tmp_path / TRAINER_LOCK_FILE, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_EX)
    looked = threading.Timer(0.2, os.close, [looking])
    looked.start()
    with JournalFile(tmp_path):
        looked.join()
