"""What ends a run, said in one line that tells what to change."""

import errno

from domain.errors import Refusal
from trainer.wire import WireError


class TrainingError(Exception):
    """The run cannot start or go on; the message says what happened and what to do."""


class AlreadyRunning(TrainingError):
    """Another trainer holds the lock of the run directory."""


class StopRequested(Exception):
    """Somebody asked for the end while the run was still being prepared."""


def explain(error: BaseException) -> str | None:
    """What happened and what to change, in one line; None for an error that only a programmer can explain."""
    text = " ".join(str(error).split())
    if isinstance(error, (TrainingError, Refusal, WireError)):
        return text
    if _is_out_of_memory(error, text):
        return (
            "out of memory; lower train_batch_size (and raise gradient_accumulation_steps instead), lower resolution "
            "or turn on gradient_checkpointing"
        )
    if _is_disk_full(error, text):
        return "the disk is full; free some space or lower checkpoints_total_limit, then resume"
    if "finished reduction in the prior iteration" in text:
        return "a step left some of the trained weights unused; switch find_unused_parameters on"
    if "mha_graph" in text or "No available kernel" in text:
        return "attention cannot be computed that way here; set attention_mechanism to diffusers"
    if "closed by peer" in text or type(error).__name__ == "DistBackendError":
        return "another process of the run died; what it printed says why"
    if isinstance(error, PermissionError):
        return f"no permission for {error.filename}; let the user that runs the training read and write there"
    return None


def name(error: BaseException) -> str:
    """One line about an error that nobody explains."""
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:500]}"


def _is_out_of_memory(error: BaseException, text: str) -> bool:
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )


def _is_disk_full(error: BaseException, text: str) -> bool:
    full = (errno.ENOSPC, errno.EDQUOT)
    return (isinstance(error, OSError) and error.errno in full) or "No space left on device" in text
