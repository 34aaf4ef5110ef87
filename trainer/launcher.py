"""Which process started this one, and not waiting for it after its death.

The processes of a run meet in a store that torchrun keeps. One that comes too late, because torchrun was killed while the
libraries were loading, would wait there for as long as processes may wait for each other, which is hours, and look alive.
Once they have met, a run goes on without torchrun.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from trainer.wire import PREFIX

LAUNCHER = os.getppid()
"""Noted when the process begins: an orphan has another parent."""

SECONDS_BETWEEN = 0.5


@contextmanager
def ending_with_the_launcher() -> Iterator[None]:
    """The process ends when its launcher does meanwhile, and gives its locks back."""
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(SECONDS_BETWEEN):
            if os.getppid() != LAUNCHER:
                sys.stderr.write(f"{PREFIX}what started this process died before all processes had met\n")
                sys.stderr.flush()
                os._exit(1)

    Thread(target=watch, name="the watch over the launcher", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()
