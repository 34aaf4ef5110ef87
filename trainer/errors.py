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


LESS_MEMORY = {
    "load_model": "while the base model was loaded; end what else uses the memory, switch offload_during_startup on, or "
    "choose a smaller model_flavour",
    "download_model": "while the base model was downloaded; end what else uses main memory",
    "encode_captions": "while captions were encoded; end what else uses the memory, or switch offload_during_startup on",
    "encode_images": "while pictures were encoded; lower vae_batch_size or resolution, or switch offload_during_startup on",
    "encode_masks": "while masks were read; take very large ones out of the dataset",
    "read_images": "while pictures were read; lower max_workers, or take very large ones out of the dataset",
    "encode_held_out": "while held-out pictures were encoded; lower resolution, or switch eval_loss_disable on",
    "evaluate": "while the held-out loss was measured; lower train_batch_size, or switch eval_loss_disable on",
    "validate": "while a validation image was drawn; lower validation_resolution, or switch validation_disable on",
    "save": "while a checkpoint was saved; end what else uses main memory, then resume",
}
"""What to change, by the phase in which memory ran out."""

LESS_MEMORY_IN_STEPS = (
    "; lower train_batch_size (and raise gradient_accumulation_steps instead), lower resolution or turn on "
    "gradient_checkpointing"
)


def explain(error: BaseException, *, phase: str | None = None) -> str | None:
    """What happened and what to change, in one line; None for an error that only a programmer can explain.

    phase: which one was open, as the journal calls it; None while steps are made.
    """
    text = " ".join(str(error).split())
    if isinstance(error, (TrainingError, Refusal, WireError)):
        return text
    if is_out_of_memory(error):
        advice = LESS_MEMORY.get(phase or "")
        return f"out of memory {advice}" if advice else f"out of memory{LESS_MEMORY_IN_STEPS}"
    if _is_disk_full(error, text):
        return "the disk is full; free some space or lower checkpoints_total_limit, then resume"
    if "finished reduction in the prior iteration" in text:
        return "a step left some of the trained weights unused; switch find_unused_parameters on"
    if "mha_graph" in text or "No available kernel" in text:
        return "attention cannot be computed that way here; set attention_mechanism to diffusers"
    if is_of_others(error):
        return "another process of the run died without a word, as happens when main memory runs out"
    if isinstance(error, PermissionError):
        return f"no permission for {error.filename}; let the user that runs the training read and write there"
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return f"{error.filename} is on a disk that can only be read; choose another folder, or mount it to be written"
    return None


def name(error: BaseException) -> str:
    """One line about an error that nobody explains."""
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:500]}"


def is_of_others(error: BaseException) -> bool:
    """It says no more than that another process of the run is gone."""
    return "closed by peer" in str(error) or type(error).__name__ == "DistBackendError"


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )


def _is_disk_full(error: BaseException, text: str) -> bool:
    full = (errno.ENOSPC, errno.EDQUOT)
    return (isinstance(error, OSError) and error.errno in full) or "No space left on device" in text
