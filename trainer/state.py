"""What a checkpoint holds besides the adapter: optimizer, loss scale, and what the run was like when it was saved."""

import json
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer

from domain.config.training import TrainingConfig

STATE_FILE = "state.json"
OPTIMIZER_FILE = "optimizer.pt"


def save_state(
    folder: Path, *, step: int, config: TrainingConfig, optimizer: AcceleratedOptimizer, accelerator: Accelerator
) -> None:
    scaler = accelerator.scaler
    tensors = {
        "optimizer": optimizer.state_dict()["state"],
        "scaler": None if scaler is None else scaler.state_dict(),
    }
    torch.save(tensors, folder / OPTIMIZER_FILE)
    state = {"step": step, "effective_batch_size": config.effective_batch_size}
    (folder / STATE_FILE).write_text(json.dumps(state, indent=2))


def load_state(folder: Path, *, optimizer: AcceleratedOptimizer, accelerator: Accelerator) -> None:
    """Put back the optimizer's memory; its settings stay those of the config, which may have changed."""
    tensors: dict[str, Any] = torch.load(folder / OPTIMIZER_FILE, map_location="cpu", weights_only=True)
    settings = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": tensors["optimizer"], "param_groups": settings})
    if accelerator.scaler is not None and tensors["scaler"] is not None:
        accelerator.scaler.load_state_dict(tensors["scaler"])


def saved_effective_batch_size(folder: Path) -> int:
    size: int = json.loads((folder / STATE_FILE).read_text())["effective_batch_size"]
    return size
