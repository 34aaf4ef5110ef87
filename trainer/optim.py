"""The optimizer."""

from collections.abc import Iterable

import torch
from torch.nn import Parameter

from domain.config.training import TrainingConfig


def make_optimizer(config: TrainingConfig, parameters: Iterable[Parameter]) -> torch.optim.AdamW:
    """On GPUs all parameters are updated by one kernel instead of several for each."""
    trained = list(parameters)
    return torch.optim.AdamW(
        trained,
        fused=all(parameter.is_cuda for parameter in trained),
        lr=config.scaled_learning_rate,
        betas=(config.optimizer_beta1, config.optimizer_beta2),
        weight_decay=config.adam_weight_decay,
    )
