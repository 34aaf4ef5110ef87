"""The optimizer and the learning rate's schedule."""

from collections.abc import Iterable

import torch
from diffusers.optimization import get_scheduler
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR

from domain.config.training import TrainingConfig


def make_optimizer(config: TrainingConfig, parameters: Iterable[Parameter]) -> torch.optim.AdamW:
    """On GPUs all parameters are updated by one kernel instead of several for each."""
    trained = list(parameters)
    return torch.optim.AdamW(
        trained,
        fused=all(parameter.is_cuda for parameter in trained),
        lr=config.learning_rate,
        betas=(config.optimizer_beta1, config.optimizer_beta2),
        weight_decay=config.adam_weight_decay,
    )


def make_lr_schedule(
    config: TrainingConfig, optimizer: torch.optim.Optimizer, *, total_steps: int, start_step: int
) -> LambdaLR:
    """The schedule as it stands after start_step steps: it is a function of the step and has no state to save."""
    schedule: LambdaLR = get_scheduler(
        config.lr_scheduler,
        optimizer,
        num_warmup_steps=config.lr_warmup_steps,
        num_training_steps=total_steps,
        num_cycles=config.lr_num_cycles,
        power=config.lr_power,
    )
    schedule.last_epoch = start_step
    for group, base, factor in zip(optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        group["lr"] = base * factor(start_step)
    return schedule
