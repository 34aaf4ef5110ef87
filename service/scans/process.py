"""The process of a scan. It has a session of its own and outlives the service; a lock tells whether it is alive."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from service.launchers.local import is_locked, standard_input, trainer_environment

LOCK_FILE = "scan.lock"
OUTPUT_FILE = "output.log"
MAX_SAID = 2000


def start_scan(
    folder: Path, *, environment: Mapping[str, str], secrets: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Raises OSError."""
    with (folder / OUTPUT_FILE).open("wb") as output, standard_input(secrets) as given:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer.scan", str(folder)],
            cwd=folder,
            env=trainer_environment(environment),
            stdin=given,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def is_scanning(folder: Path) -> bool:
    return is_locked(folder / LOCK_FILE)


def last_said(folder: Path) -> str:
    """The last line that the process printed."""
    try:
        said = (folder / OUTPUT_FILE).read_bytes()[-MAX_SAID:].decode(errors="replace")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
