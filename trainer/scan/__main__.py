"""python -m trainer.scan FOLDER: look at a dataset's pictures as FOLDER/order.json says, and note them in FOLDER/index.sqlite3."""

import fcntl
import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from domain.errors import Refusal
from trainer.errors import TrainingError, explain
from trainer.scan.index import FAILED, Index, remove_index
from trainer.scan.order import INDEX_FILE, LOCK_FILE, Order, read_order
from trainer.scan.scan import scan
from trainer.secrets import take_secrets, withhold

ALREADY_RUNNING = 3
NICENESS = 10
"""Training that goes on meanwhile has the processors first."""


def main(folder: Path) -> int:
    """0 when all is scanned, 1 when it cannot be, 3 when another scan of this folder is running."""
    secrets = take_secrets()
    os.nice(NICENESS)
    with (folder / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ALREADY_RUNNING
        try:
            order = read_order(folder, secrets=secrets, environment=os.environ)
            _scan_anew_if_damaged(folder / INDEX_FILE, order)
        except (TrainingError, Refusal, OSError, sqlite3.Error) as error:
            said = withhold(explain(error) or str(error), secrets)
            sys.stderr.write(f"{said}\n")
            with suppress(sqlite3.Error), closing(Index(folder / INDEX_FILE)) as index:
                index.enter(FAILED, error=said)
            return 1
    return 0


def _scan_anew_if_damaged(path: Path, order: Order) -> None:
    """What is damaged inside shows only when it is read."""
    try:
        with closing(Index(path)) as index:
            scan(index, order)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        remove_index(path)
        with closing(Index(path)) as index:
            scan(index, order)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m trainer.scan FOLDER")
    sys.exit(main(Path(sys.argv[1])))
