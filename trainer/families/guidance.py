"""The guidance that models with guidance distilled into them are told."""

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from domain.config.training import TrainingConfig


def draw_guidance(config: TrainingConfig, seeds: Sequence[int], *, device: torch.device) -> Tensor:
    """One for each seed, (len(seeds),): always the same, or from a range, as the configuration says."""
    return torch.tensor([_guidance(config, seed) for seed in seeds]).to(device, non_blocking=True)


def _guidance(config: TrainingConfig, seed: int) -> float:
    if config.flux_guidance_mode == "constant":
        return config.flux_guidance_value
    return random.Random(seed).uniform(config.flux_guidance_min, config.flux_guidance_max)
