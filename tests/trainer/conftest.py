"""Run directories, a few pictures, and trainers in this process."""

import logging
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.trainer.runs import MakeRun, RunDirectory, write_run
from trainer.inbox import STOP_SIGNALS


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes run.json of one run directory; again, to start it once more with other options."""

    def make(**options: Any) -> RunDirectory:
        return write_run(tmp_path / "run", **options)

    return make


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with four plain pictures and their captions."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("blue", "green", "red", "yellow"):
        Image.new("RGB", (64, 64), colour).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"a {colour} square")
    return folder


@pytest.fixture
def train_here() -> Iterator[Callable[[RunDirectory], int]]:
    """Runs a trainer in this process, which saves loading the libraries again; returns its exit status."""
    from trainer.__main__ import main  # noqa: PLC0415 - only for the tests that train

    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    with warnings.catch_warnings():
        yield lambda run: main([str(run.path)])
    logging.disable(logging.NOTSET)
    for number, handler in handlers.items():
        signal.signal(number, handler)
