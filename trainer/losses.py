"""How far off predictions are: the loss of each sample, from its errors and its noise level."""

from typing import Literal

import torch
from torch import Tensor

from domain.config.training import TrainingConfig
from trainer.objective import Schedule, as_wide_as

SMALLEST_AREA = 1e-6

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


def fitted(masks: Tensor, latents: Tensor) -> Tensor:
    """Masks, (batch, rows, columns), as coarse as latents and with all their dimensions; every frame has the same."""
    coarse = torch.nn.functional.adaptive_avg_pool2d(masks, (latents.shape[-2], latents.shape[-1]))
    return coarse.view(len(masks), *(1 for _ in latents.shape[1:-2]), *coarse.shape[-2:])


def losses_of(
    prediction: Tensor,
    target: Tensor,
    weights: Tensor,
    *,
    bends: Tensor,
    loss_type: LossType,
    masks: Tensor | None = None,
) -> Tensor:
    """Each sample's mean loss times its weight; weights, bends, and what is returned: (batch,).

    masks: how much each place counts, from 0 to 1, as wide as predictions; the mean is over what counts, so that small and
    large masks are learned alike, and 0 where nothing does.

    l2 is the squared error d². huber is 2c (√(d² + c²) - c), and smooth_l1 is that without the c in front, where c is
    the bend: as d² and d²/c for small errors, and straight for large ones.
    """
    squares = torch.nn.functional.mse_loss(prediction.float(), target.float(), reduction="none")
    if loss_type != "l2":
        bend = as_wide_as(squares, bends)
        squares = 2 * ((squares + bend**2).sqrt() - bend) * (bend if loss_type == "huber" else 1)
    if masks is None:
        return squares.flatten(1).mean(1) * weights
    counts = masks.expand_as(squares).flatten(1)
    return (squares.flatten(1) * counts).sum(1) / counts.sum(1).clamp(min=SMALLEST_AREA) * weights
