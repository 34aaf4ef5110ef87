"""Trainers on this machine, started by torchrun.

Whether something of a run is alive is told by two file locks that the operating system gives back when their holder
dies, whatever kills it: the launched torchrun inherits one, the trainer takes the other. So a service that comes back
after its own death knows as much as one that never left, and a process id that was used again misleads nobody.
"""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from trainer.wire import OUTPUT_FILE, PREFIX, TRAINER_LOCK_FILE, encode_secrets, failure_of_others

LAUNCHER_LOCK_FILE = "launcher.lock"
LAUNCHER_FILE = "launcher.json"
START_MARK = b"==== start ====\n"
MAX_REASON_BYTES = 4000


class LaunchError(Exception):
    """The trainer could not be started; the message says why."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A started torchrun; process is None when an earlier service started it."""

    process: subprocess.Popen[bytes] | None


def launch(
    run_dir: Path,
    *,
    num_processes: int,
    devices: Sequence[int],
    environment: Mapping[str, str],
    secrets: Mapping[str, str] | None = None,
) -> Launched:
    """Start the processes of a run in a session of their own, so that they outlive the service. Raises LaunchError.

    secrets: what the trainer puts into its environment. They are its standard input, which torchrun hands on.
    """
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num_processes}"),
        *("-m", "trainer", str(run_dir)),
    ]
    lock = os.open(run_dir / LAUNCHER_LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with (run_dir / OUTPUT_FILE).open("ab") as output, standard_input(secrets or {}) as given:
            output.write(START_MARK)
            output.flush()
            process = subprocess.Popen(
                command,
                cwd=run_dir,
                env=trainer_environment(environment, devices),
                stdin=given,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(lock,),
            )
    except OSError as error:
        raise LaunchError(f"the trainer could not be started: {error}") from error
    finally:
        os.close(lock)
    (run_dir / LAUNCHER_FILE).write_text(json.dumps({"pid": process.pid}))
    return Launched(process)


def is_alive(run_dir: Path) -> bool:
    """Something of the run is running: torchrun, the trainer, or both."""
    return is_locked(run_dir / LAUNCHER_LOCK_FILE) or is_locked(run_dir / TRAINER_LOCK_FILE)


def kill(run_dir: Path, *, is_last_resort: bool = False) -> None:
    """End what is alive of the run without asking it.

    torchrun ends the other processes when one has died, and all of them when it is terminated; killed itself, it would
    leave them behind waiting for each other, so that is the last resort.
    """
    if is_locked(run_dir / TRAINER_LOCK_FILE):
        _signal(_trainer_pid(run_dir), signal.SIGKILL)
    elif is_locked(run_dir / LAUNCHER_LOCK_FILE):
        _signal(_launcher_pid(run_dir), signal.SIGTERM)
    if is_last_resort and is_locked(run_dir / LAUNCHER_LOCK_FILE):
        _signal(_launcher_pid(run_dir), signal.SIGKILL)


def last_output(run_dir: Path) -> str:
    """The end of what the processes of the newest start printed, for the reason of an unexplained end."""
    try:
        with (run_dir / OUTPUT_FILE).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_REASON_BYTES))
            return file.read().rpartition(START_MARK)[2].decode(errors="replace")
    except FileNotFoundError:
        return ""


def how_it_ended(run_dir: Path) -> str:
    """What the processes left, or their output tells, of an end without a last word; to be put behind that."""
    failure = failure_of_others(run_dir)
    if failure:
        return f": {failure}"
    output = last_output(run_dir)
    told = re.findall(rf"^{PREFIX}(.+)$", output, flags=re.MULTILINE)
    if told:
        return f": {told[-1]}"
    signalled = re.search(r"Signal \d+ \((SIG[A-Z]+)\)", output)
    if signalled:
        return f": it was ended by {signalled[1]}" + (
            ", as happens when memory runs out" if signalled[1] == "SIGKILL" else ""
        )
    last_line = next((line.strip() for line in reversed(output.splitlines()) if line.strip(" =")), "")
    return f"; the last it printed was: {last_line}" if last_line else ""


@contextmanager
def standard_input(secrets: Mapping[str, str]) -> Iterator[int]:
    """Memory that no name leads to and that nobody can change; only processes that inherit it can read it."""
    if not secrets:
        with open(os.devnull, "rb") as nothing:
            yield nothing.fileno()
        return
    with _nameless_file() as file:
        file.write(encode_secrets(secrets))
        file.flush()
        if sys.platform == "linux":
            seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        yield file.fileno()


def _nameless_file() -> IO[bytes]:
    """macOS has no files in memory alone: there it is one in the user's own temporary folder that has lost its name."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("secrets", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    return TemporaryFile()


FOR_THE_TRAINER = frozenset({"SIMPLETUNER_PRIVATE_HOSTS"})


def trainer_environment(environment: Mapping[str, str], devices: Sequence[int] = ()) -> dict[str, str]:
    """One OpenMP thread: torch's default of one for each core collapses when anything else runs."""
    kept = {
        key: value for key, value in environment.items() if not key.startswith("SIMPLETUNER_") or key in FOR_THE_TRAINER
    }
    kept |= {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    if devices:
        kept["CUDA_VISIBLE_DEVICES"] = ",".join(str(device) for device in devices)
    return kept


def is_locked(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def _trainer_pid(run_dir: Path) -> int | None:
    try:
        return int((run_dir / TRAINER_LOCK_FILE).read_text())
    except (OSError, ValueError):
        return None


def _launcher_pid(run_dir: Path) -> int | None:
    try:
        return int(json.loads((run_dir / LAUNCHER_FILE).read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _signal(pid: int | None, number: int) -> None:
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
