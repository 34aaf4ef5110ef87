"""The learning rate's schedule: a function of the step alone, so that a resume needs nothing but the step."""

import math
from collections.abc import Callable

from diffusers.optimization import (
    get_constant_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_scheduler,
)
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from domain.config.training import TrainingConfig
from trainer.optim import is_schedule_free


def make_lr_schedule(
    config: TrainingConfig, optimizer: Optimizer, *, total_steps: int, start_step: int = 0
) -> LambdaLR:
    """The schedule as it stands after start_step steps; total_steps: of the whole run, with the warm-up.

    Schedule-free optimizers have the warm-up alone.
    """
    schedule = _made(config, optimizer, total_steps=total_steps)
    schedule.last_epoch = start_step
    for group, base, factor in zip(optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True):
        rate = base * factor(start_step)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)  # torchao's are compiled with it
        else:
            group["lr"] = rate
    return schedule


def _made(config: TrainingConfig, optimizer: Optimizer, *, total_steps: int) -> LambdaLR:
    num_warmup_steps = config.lr_warmup_steps
    if is_schedule_free(optimizer):
        return get_constant_schedule_with_warmup(optimizer, num_warmup_steps)  # type: ignore[no-any-return]
    if config.lr_scheduler == "sine":
        lowest = config.lr_end / config.scaled_learning_rate
        return LambdaLR(optimizer, _sine(num_warmup_steps, total_steps, config.lr_num_cycles, lowest=lowest))
    if config.lr_scheduler == "polynomial":
        polynomial: LambdaLR = get_polynomial_decay_schedule_with_warmup(
            optimizer, num_warmup_steps, total_steps, lr_end=config.lr_end, power=config.lr_power
        )
        return polynomial
    schedule: LambdaLR = get_scheduler(
        config.lr_scheduler,
        optimizer,
        num_warmup_steps=num_warmup_steps,
        num_training_steps=total_steps,
        num_cycles=config.lr_num_cycles,
    )
    return schedule


def _sine(num_warmup_steps: int, total_steps: int, num_cycles: int, *, lowest: float) -> Callable[[int], float]:
    """After the warm-up from 1 down to lowest and back, num_cycles times."""

    def factor(step: int) -> float:
        if step < num_warmup_steps:
            return step / num_warmup_steps
        progress = (step - num_warmup_steps) / max(1, total_steps - num_warmup_steps)
        height = (1 + math.cos(2 * math.pi * num_cycles * progress)) / 2
        return lowest + (1 - lowest) * height

    return factor
