"""What a checkpoint holds besides the weights and what is said of the run: optimizer and loss scale."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch.nn import Parameter

from trainer.errors import TrainingError
from trainer.optim import is_schedule_free, memory_of

OPTIMIZER_FILE = "optimizer.pt"


def save_state(
    folder: Path, *, optimizer: AcceleratedOptimizer, parameters: Sequence[Parameter], accelerator: Accelerator
) -> None:
    scaler = accelerator.scaler
    tensors = {
        "optimizer": optimizer.state_dict()["state"],
        "groups": memory_of(optimizer.optimizer),
        "weights": [each.detach() for each in parameters] if is_schedule_free(optimizer.optimizer) else None,
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    # Through a file of Python's: given a path, torch says nothing of a full disk.
    with (folder / OPTIMIZER_FILE).open("wb") as file:
        torch.save(tensors, file)


def load_state(
    folder: Path, *, optimizer: AcceleratedOptimizer, parameters: Sequence[Parameter], accelerator: Accelerator
) -> None:
    """Put back the optimizer's memory; its settings stay those of the config, which may have changed.

    Where the weights that are trained are not those for inference, they are put back too. Raises TrainingError when it does
    not fit.
    """
    tensors: dict[str, Any] = torch.load(folder / OPTIMIZER_FILE, map_location="cpu", weights_only=True)
    settings = optimizer.state_dict()["param_groups"]
    if len(settings) != len(tensors["groups"]):
        raise TrainingError(
            f"{folder} has learning rates for {len(tensors['groups'])} groups of weights, and there are {len(settings)} now; "
            "resume with text_encoder_lr set, or empty, as it was"
        )
    groups = [group | memory for group, memory in zip(settings, tensors["groups"], strict=True)]
    optimizer.load_state_dict({"state": tensors["optimizer"], "param_groups": groups})
    if tensors["weights"] is not None:
        with torch.no_grad():
            for parameter, weights in zip(parameters, tensors["weights"], strict=True):
                parameter.copy_(weights)
    if accelerator.scaler is not None and tensors["scaler"] is not None:
        accelerator.scaler.load_state_dict(tensors["scaler"])
