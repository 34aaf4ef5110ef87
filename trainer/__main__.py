"""`python -m trainer RUN_DIR`: do what RUN_DIR/run.json says, in this process.

Exit status: 0 finished or stopped, 1 failed, 2 the run directory cannot be used.
"""

import gc
import os
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from domain.config.secrets import fill_in_secrets
from domain.errors import Refusal
from trainer.checkpoints import Checkpoints
from trainer.errors import AlreadyRunning, StopRequested, TrainingError, explain, is_of_others, name
from trainer.inbox import Inbox, RequestInbox, SilentInbox
from trainer.journal import Journal, JournalFile, SilentJournal, log
from trainer.launcher import LAUNCHER  # noqa: F401  noted before anything else takes its time
from trainer.order import read_order
from trainer.quiet import silence_libraries
from trainer.secrets import take_secrets, withhold
from trainer.wire import (
    PREFIX,
    RUN_FILE,
    Ended,
    RunSpec,
    WireError,
    failure_of_others,
    forget_failures,
    leave_failure,
    read_run_spec,
)

Outcome = Literal["finished", "stopped"]

USAGE = "usage: python -m trainer RUN_DIR, where RUN_DIR is a run directory with a run.json"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return _refuse(USAGE)
    run_dir = Path(arguments[0]).absolute()
    if not run_dir.is_dir():
        return _refuse(f"{run_dir} is not a directory; {USAGE}")
    if not (run_dir / RUN_FILE).exists():
        return _refuse(f"{run_dir} has no {RUN_FILE}; a run directory is made by the service or by 'simpletuner train'")
    try:
        secrets = take_secrets()
    except WireError as error:
        return _refuse(str(error))
    with ExitStack() as stack:
        if _is_main_process():
            try:
                journal_file = stack.enter_context(JournalFile(run_dir))
            except (AlreadyRunning, OSError) as error:
                return _refuse(explain(error) or name(error))
            return _run(run_dir, journal_file, RequestInbox(run_dir, journal_file), secrets)
        return _run(run_dir, SilentJournal(), SilentInbox(), secrets)


def _run(run_dir: Path, journal: Journal, inbox: Inbox, secrets: Mapping[str, str]) -> int:
    """Run to the end, whatever it is, and tell the journal."""
    outcome: Outcome
    if _is_main_process():
        forget_failures(run_dir)
    try:
        outcome, _kept_until_we_leave = _train(run_dir, journal, inbox, secrets)
    except StopRequested:
        outcome = "stopped"
    except Exception as error:  # noqa: BLE001 - the entry of the process: every end is told to the journal
        return _leave(_fail(run_dir, journal, error, secrets))
    try:
        journal.append(_ended(run_dir, journal, outcome))
    except OSError as error:
        return _leave(_fail(run_dir, journal, error, secrets))
    return _leave(0)


def _leave(status: int) -> int:
    """One of several processes ends at once, without taking down what it made.

    Dropping what wraps the denoiser for data parallelism joins the threads of the process group while holding the
    interpreter's lock, for which these threads may be waiting to drop a tensor: now and then the process never ended.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _train(run_dir: Path, journal: Journal, inbox: Inbox, secrets: Mapping[str, str]) -> tuple[Outcome, object]:
    """How it ended, and everything it was made of."""
    order = read_order(run_dir, _with_secrets(read_run_spec(run_dir), secrets), journal=journal)
    silence_libraries()
    # The heavy libraries take seconds to load: only now, when everything that can be refused without them has been.
    # A fifth of that would be the search for garbage among what they make, all of which stays. Frozen, it is not searched
    # at the end either.
    gc.disable()
    from trainer.loop import train  # noqa: PLC0415
    from trainer.preparation import prepare  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    training = prepare(order, journal=journal, inbox=inbox)
    with closing(training.loader):
        outcome = train(training)
    training.accelerator.end_training()
    return outcome, training


def _with_secrets(spec: RunSpec, secrets: Mapping[str, str]) -> RunSpec:
    """In memory only: run.json keeps the names."""
    return replace(
        spec, datasets=[fill_in_secrets(each, secrets=secrets, environment=os.environ) for each in spec.datasets]
    )


def _fail(run_dir: Path, journal: Journal, error: Exception, secrets: Mapping[str, str]) -> int:
    """One line for people on the terminal, the same in the journal; the traceback of what nobody can explain there."""
    explained = explain(error, phase=journal.open_phase)
    reason = withhold(explained or name(error), secrets)
    if not _is_main_process():
        return _fail_beside(run_dir, error, reason)
    if is_of_others(error):
        reason = failure_of_others(run_dir) or reason
    _tell(f"the run failed: {reason}")
    try:
        if explained is None:
            log(journal, "error", withhold("".join(traceback.format_exception(error)), secrets))
        journal.append(_ended(run_dir, journal, "failed", reason=reason))
    except OSError as full:
        _tell(f"the end could not be written to the journal: {explain(full) or name(full)}")
    return 2 if isinstance(error, WireError) else 1


def _fail_beside(run_dir: Path, error: Exception, reason: str) -> int:
    """Of a process that has no journal."""
    if is_of_others(error):
        return 1
    if not isinstance(error, (TrainingError, Refusal, WireError)):  # which the main one meets as well, mostly
        _tell(f"the run failed: {reason}")
    try:
        leave_failure(run_dir, process=int(os.environ["RANK"]), reason=reason)
    except OSError as full:
        _tell(f"why the run failed could not be written: {explain(full) or name(full)}; it was: {reason}")
    return 1


def _ended(
    run_dir: Path, journal: Journal, outcome: Literal["finished", "stopped", "failed"], *, reason: str | None = None
) -> Ended:
    resume_step = max(Checkpoints(run_dir, limit=1).steps(), default=None)
    step = journal.step or resume_step or 0
    return Ended(at=time.time(), outcome=outcome, step=step, reason=reason, resume_step=resume_step)


def _refuse(reason: str) -> int:
    _tell(reason)
    return 2


def _tell(line: str) -> None:
    with suppress(OSError):  # what is printed may go to a disk that is full
        sys.stderr.write(f"{PREFIX}{line}\n")


def _is_main_process() -> bool:
    """torchrun numbers its processes; without it there is one."""
    return os.environ.get("RANK", "0") == "0"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
