"""Trouble that people can mend is told as what to change."""

import errno
import re

import pytest

from domain.config.training import TrainingConfig
from trainer.errors import LESS_MEMORY, LESS_MEMORY_IN_STEPS, TrainingError, explain, name


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 16.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:126] DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_out_of_memory_says_what_to_lower(error: Exception) -> None:
    assert "lower train_batch_size" in (explain(error) or "")
    told = explain(error, phase="encode_images") or ""
    assert told.startswith("out of memory while pictures were encoded; lower vae_batch_size")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_full_disk_says_to_free_space(error: Exception) -> None:
    assert (explain(error) or "").startswith("the disk is full; free some space")


def test_disk_that_can_only_be_read_is_named() -> None:
    told = explain(OSError(errno.EROFS, "Read-only file system", "/data/cache")) or ""
    assert told.startswith("/data/cache is on a disk that can only be read")


def test_options_that_advice_names_are_there() -> None:
    names = set(re.findall(r"[a-z]+_[a-z_]+", " ".join(LESS_MEMORY.values()) + LESS_MEMORY_IN_STEPS))
    assert names <= set(TrainingConfig.model_fields)


def test_missing_permission_names_the_file() -> None:
    assert "no permission for /data/a.png" in (explain(PermissionError(errno.EACCES, "denied", "/data/a.png")) or "")


def test_unused_weights_say_what_to_switch_on() -> None:
    torch_says = "Expected to have finished reduction in the prior iteration before starting a new one. This error"
    assert (explain(RuntimeError(torch_says)) or "").endswith("switch find_unused_parameters on")


def test_own_errors_speak_for_themselves_in_one_line() -> None:
    assert explain(TrainingError("the loss\nbecame nan")) == "the loss became nan"


def test_error_that_nobody_explains_is_named() -> None:
    assert explain(KeyError("x")) is None
    assert name(KeyError("x")) == "unexpected KeyError: 'x'"
