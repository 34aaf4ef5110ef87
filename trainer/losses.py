"""How far off predictions are: the loss of each sample, from its errors and its noise level."""

from typing import Literal

import torch
from torch import Tensor

from domain.config.training import TrainingConfig
from trainer.objective import Schedule, as_wide_as

LossType = Literal["l2", "huber", "smooth_l1"]


def bends(config: TrainingConfig, schedule: Schedule, timesteps: Tensor) -> Tensor:
    """The size of error from which on the loss grows in a straight line, (batch,), at each noise level.

    Scheduled pseudo-Huber loss (Khrapov et al. 2024, arXiv:2403.16728): from 1 without noise to huber_c at its end, by
    1 / (1 + noise/signal)^2 or exponentially; or huber_c everywhere.
    """
    last = config.huber_c
    if config.huber_schedule == "constant":
        return torch.full(timesteps.shape, last, device=timesteps.device)
    if config.huber_schedule == "exponential":
        return last ** schedule.times(timesteps)
    return (1 - last) / (1 + schedule.noise_to_signal(timesteps)) ** 2 + last


def losses_of(prediction: Tensor, target: Tensor, weights: Tensor, *, bends: Tensor, loss_type: LossType) -> Tensor:
    """Each sample's mean loss times its weight; weights, bends, and what is returned: (batch,).

    l2 is the squared error d². huber is 2c (√(d² + c²) - c), and smooth_l1 is that without the c in front, where c is
    the bend: as d² and d²/c for small errors, and straight for large ones.
    """
    squares = torch.nn.functional.mse_loss(prediction.float(), target.float(), reduction="none")
    if loss_type != "l2":
        bend = as_wide_as(squares, bends)
        squares = 2 * ((squares + bend**2).sqrt() - bend) * (bend if loss_type == "huber" else 1)
    return squares.flatten(1).mean(1) * weights
