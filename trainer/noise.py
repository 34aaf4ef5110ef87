"""Changes to the noise that is added to latents."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from domain.config.training import TrainingConfig
from trainer.objective import draw_noise


def with_offset(noise: Tensor, seeds: Sequence[int], config: TrainingConfig) -> Tensor:
    """Offset noise (Guttenberg 2023): of some samples, each channel is shifted as a whole.

    noise: (batch, channels, ...). seeds: of each sample, which also decides whether it is shifted.
    """
    if not config.offset_noise:
        return noise
    shape = (noise.shape[1], *(1 for _ in noise.shape[2:]))
    is_shifted = [random.Random(seed).random() < config.noise_offset_probability for seed in seeds]
    sizes = config.noise_offset * torch.tensor(is_shifted, dtype=noise.dtype, device=noise.device)
    offsets = draw_noise(seeds, shape=shape, device=noise.device)
    return noise + sizes.view(-1, *(1 for _ in shape)) * offsets


def perturbed(noise: Tensor, seeds: Sequence[int], config: TrainingConfig, *, step: int) -> Tensor:
    """The noise that the denoiser sees, where it should predict the given one (Ning et al. 2023, arXiv:2301.11706).

    step: how many were made; the perturbation fades out linearly, or stays where no steps are given.
    """
    size = config.input_perturbation
    if config.input_perturbation_steps:
        size *= max(0.0, 1 - step / config.input_perturbation_steps)
    if size == 0:
        return noise
    return noise + size * draw_noise(seeds, shape=noise.shape[1:], device=noise.device)
