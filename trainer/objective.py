"""Noise levels, timestep sampling, targets and loss weights: functions of tensors.

Notation of DDPM (Ho et al. 2020, arXiv:2006.11239): x_t = alpha_t x_0 + sigma_t noise, with alpha_t^2 = alphas_cumprod[t]
and sigma_t^2 = 1 - alphas_cumprod[t].
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr
from torch import Tensor

from trainer.errors import TrainingError

PredictionType = Literal["epsilon", "v_prediction"]


class DiffusionSchedule:
    """The discrete noise schedule of a base model and what its denoiser predicts.

    The formulas are diffusers' own; with zero terminal SNR (Lin et al. 2023, arXiv:2305.08891) the last timestep is
    pure noise.
    """

    def __init__(self, scheduler_config: Mapping[str, Any], *, prediction_type: PredictionType | None = None) -> None:
        override = {"prediction_type": prediction_type} if prediction_type else {}
        self._scheduler = DDPMScheduler.from_config(dict(scheduler_config), **override)
        self.prediction_type: str = self._scheduler.config.prediction_type
        self.num_timesteps: int = self._scheduler.config.num_train_timesteps
        if self.prediction_type not in ("epsilon", "v_prediction"):
            raise TrainingError(
                f"the base model predicts {self.prediction_type!r}; only epsilon and v_prediction can be trained"
            )

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t. latents, noise: (batch, channels, height, width) in fp32; timesteps: (batch,)."""
        noisy: Tensor = self._scheduler.add_noise(latents, noise, timesteps)
        return noisy

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the denoiser should predict: the noise, or v = alpha_t noise - sigma_t x_0 (Salimans and Ho 2022,
        arXiv:2202.00512)."""
        if self.prediction_type == "epsilon":
            return noise
        velocity: Tensor = self._scheduler.get_velocity(latents, noise, timesteps)
        return velocity

    def loss_weights(self, timesteps: Tensor, *, snr_gamma: float | None) -> Tensor:
        """Min-SNR weights (Hang et al. 2023, arXiv:2303.09556), (batch,); ones when snr_gamma is None.

        min(SNR, gamma) weighs the loss on x_0; predicting noise divides it by SNR and predicting v by SNR + 1.
        At zero SNR that is 1 for noise (the limit) and 0 for v.
        """
        if snr_gamma is None:
            return torch.ones(timesteps.shape, device=timesteps.device)
        snr: Tensor = compute_snr(self._scheduler, timesteps)
        if self.prediction_type == "epsilon":
            return (snr_gamma / snr).clamp(max=1)
        return snr.clamp(max=snr_gamma) / (snr + 1)


def draw_timesteps(seeds: Sequence[int], *, num_timesteps: int, device: torch.device) -> Tensor:
    """One uniform timestep for each seed, (len(seeds),)."""
    drawn = [torch.randint(num_timesteps, (1,), generator=_generator(seed, "cpu")) for seed in seeds]
    return torch.cat(drawn).to(device, non_blocking=True)


def draw_noise(seeds: Sequence[int], *, shape: Sequence[int], device: torch.device) -> Tensor:
    """Standard normal noise of the given shape for each seed, (len(seeds), *shape).

    Each sample has a seed of its own, so that it sees the same noise however a batch is split over devices and
    accumulation.
    """
    return torch.stack([torch.randn(tuple(shape), generator=_generator(seed, device), device=device) for seed in seeds])


def weighted_mse(prediction: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean over the batch of each sample's mean squared error times its weight; weights: (batch,)."""
    errors = torch.nn.functional.mse_loss(prediction.float(), target.float(), reduction="none")
    return (errors.flatten(1).mean(1) * weights).mean()


def _generator(seed: int, device: torch.device | str) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)
