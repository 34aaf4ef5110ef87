"""python -m trainer.scan FOLDER: look at a dataset's pictures as FOLDER/order.json says, and note them in FOLDER/index.sqlite3."""

import fcntl
import os
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

from domain.errors import Refusal
from trainer.errors import TrainingError, explain
from trainer.scan.index import FAILED, Index
from trainer.scan.order import INDEX_FILE, LOCK_FILE, read_order
from trainer.scan.scan import scan
from trainer.secrets import take_secrets, withhold

ALREADY_RUNNING = 3


def main(folder: Path) -> int:
    """0 when all is scanned, 1 when it cannot be, 3 when another scan of this folder is running."""
    secrets = take_secrets()
    with (folder / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ALREADY_RUNNING
        index = None
        try:
            order = read_order(folder, secrets=secrets, environment=os.environ)
            index = Index(folder / INDEX_FILE)
            scan(index, order)
        except (TrainingError, Refusal, OSError, sqlite3.Error) as error:
            said = withhold(explain(error) or str(error), secrets)
            sys.stderr.write(f"{said}\n")
            if index is not None:
                with suppress(sqlite3.Error):  # it cannot be written, or somebody deleted it
                    index.enter(FAILED, error=said)
            return 1
        finally:
            if index is not None:
                index.close()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m trainer.scan FOLDER")
    sys.exit(main(Path(sys.argv[1])))
