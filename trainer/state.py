"""What a checkpoint holds besides the adapter and what is said of the run: optimizer and loss scale."""

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer

OPTIMIZER_FILE = "optimizer.pt"


def save_state(folder: Path, *, optimizer: AcceleratedOptimizer, accelerator: Accelerator) -> None:
    scaler = accelerator.scaler
    tensors = {
        "optimizer": optimizer.state_dict()["state"],
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    # Through a file of Python's: given a path, torch says nothing of a full disk.
    with (folder / OPTIMIZER_FILE).open("wb") as file:
        torch.save(tensors, file)


def load_state(folder: Path, *, optimizer: AcceleratedOptimizer, accelerator: Accelerator) -> None:
    """Put back the optimizer's memory; its settings stay those of the config, which may have changed."""
    tensors: dict[str, Any] = torch.load(folder / OPTIMIZER_FILE, map_location="cpu", weights_only=True)
    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": tensors["optimizer"], "param_groups": settings})
    if accelerator.scaler is not None and tensors["scaler"] is not None:
        accelerator.scaler.load_state_dict(tensors["scaler"])
