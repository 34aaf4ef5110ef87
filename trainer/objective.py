"""Noise levels, timestep sampling, targets and loss weights: functions of tensors.

Notation of DDPM (Ho et al. 2020, arXiv:2006.11239): x_t = alpha_t x_0 + sigma_t noise, with alpha_t^2 = alphas_cumprod[t]
and sigma_t^2 = 1 - alphas_cumprod[t]. In flow matching, alpha_t is 1 - sigma_t.
"""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.training_utils import compute_snr
from torch import Tensor

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError

EVERYTHING = (-math.inf, math.inf)
"""The span of all noise levels."""

MOST_DRAWS = 10_000
"""After which a span counts as one that nothing is drawn of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The samples of a batch that timesteps are drawn for.

    seeds: of each. places: of each among all that the run draws. batch_size: the effective one. offsets: of each, how far
    towards noise the odds of its time are moved, as a logarithm; empty for none.
    """

    seeds: Sequence[int]
    places: Sequence[int]
    batch_size: int
    offsets: Sequence[float] = ()


class Schedule(Protocol):
    """How noise is added and what the denoiser should predict of it. Timesteps are whatever draw_timesteps gives."""

    def draw_timesteps(self, draws: Draws, *, shape: Sequence[int], device: torch.device) -> Tensor:
        """One timestep for each sample, (batch,); shape: of each sample's latents."""

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor: ...

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor: ...

    def loss_weights(self, timesteps: Tensor) -> Tensor:
        """How much each noise level counts, (batch,)."""

    def noise_to_signal(self, timesteps: Tensor) -> Tensor:
        """sigma_t / alpha_t, (batch,); infinite for pure noise."""

    def times(self, timesteps: Tensor) -> Tensor:
        """How noisy they are, from 0 to 1; (batch,)."""

    def fixed_timesteps(self, count: int, *, device: torch.device) -> Tensor:
        """As many, evenly over what is drawn from; (count,)."""


class DiffusionSchedule:
    """The discrete noise schedule of a base model and what its denoiser predicts.

    The formulas are diffusers' own; with zero terminal SNR (Lin et al. 2023, arXiv:2305.08891) the last timestep is
    pure noise.
    """

    def __init__(self, scheduler_config: Mapping[str, Any], *, config: TrainingConfig) -> None:
        self._scheduler = DDPMScheduler.from_config(dict(scheduler_config), **schedule_changes(config))
        self._config = config
        self.prediction_type: str = self._scheduler.config.prediction_type
        self.num_timesteps: int = self._scheduler.config.num_train_timesteps
        if self.prediction_type not in ("epsilon", "v_prediction"):
            raise TrainingError(
                f"the base model predicts {self.prediction_type!r}; only epsilon and v_prediction can be trained"
            )

        self._shares = timestep_shares(config, num_timesteps=self.num_timesteps)

    def draw_timesteps(self, draws: Draws, *, shape: Sequence[int], device: torch.device) -> Tensor:
        """Each on its own, or spread: the effective batch has one of each of as many equally likely segments."""
        is_spread = not self._config.disable_segmented_timestep_sampling
        if self._shares is None and not is_spread:
            drawn = draw_timesteps(draws.seeds, num_timesteps=self.num_timesteps, device=torch.device("cpu"))
        else:
            heights = torch.tensor([random.Random(seed).random() for seed in draws.seeds], dtype=torch.float64)
            if is_spread:
                segments = torch.tensor([place % draws.batch_size for place in draws.places])
                heights = (segments + heights) / draws.batch_size
            drawn = self._timesteps_at(heights)
        if any(draws.offsets):
            times = _moved_towards_noise((drawn + 0.5) / self.num_timesteps, draws.offsets)
            drawn = (times * self.num_timesteps).long().clamp(max=self.num_timesteps - 1)
        return drawn.to(device, non_blocking=True)

    def _timesteps_at(self, heights: Tensor) -> Tensor:
        """The timesteps below which these shares of all draws lie."""
        if self._shares is None:
            return (heights * self.num_timesteps).long().clamp(max=self.num_timesteps - 1)
        found = torch.searchsorted(self._shares.cumsum(0), heights, right=True)
        return found.clamp(max=int(self._shares.nonzero().max()))

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

    def loss_weights(self, timesteps: Tensor) -> Tensor:
        """Min-SNR weights (Hang et al. 2023, arXiv:2303.09556), (batch,); ones without snr_gamma.

        min(SNR, gamma) weighs the loss on x_0; predicting noise divides it by SNR and predicting v by SNR + 1.
        At zero SNR that is 1 for noise (the limit) and 0 for v. Soft min-SNR (Crowson et al. 2024, arXiv:2401.11605) has
        SNR gamma / (SNR + gamma) in place of the minimum, where gamma is one over the variance of the data.
        """
        config = self._config
        if config.use_soft_min_snr:
            snr: Tensor = compute_snr(self._scheduler, timesteps)
            gamma = _soft_gamma(config)
            divisor = snr + gamma
            weights = gamma / divisor if self.prediction_type == "epsilon" else snr * gamma / (divisor * (snr + 1))
        elif config.snr_gamma is not None:
            snr = compute_snr(self._scheduler, timesteps)
            if self.prediction_type == "epsilon":
                weights = (config.snr_gamma / snr).clamp(max=1)
            else:
                weights = snr.clamp(max=config.snr_gamma) / (snr + 1)
        else:
            return torch.ones(timesteps.shape, device=timesteps.device)
        return config.snr_weight * weights

    def noise_to_signal(self, timesteps: Tensor) -> Tensor:
        ratio: Tensor = compute_snr(self._scheduler, timesteps).rsqrt()
        return ratio

    def times(self, timesteps: Tensor) -> Tensor:
        return timesteps / self.num_timesteps

    def fixed_timesteps(self, count: int, *, device: torch.device) -> Tensor:
        return torch.tensor(
            [(2 * place + 1) * self.num_timesteps // (2 * count) for place in range(count)], device=device
        )


class FlowSchedule:
    """Flow matching along straight lines (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2023, arXiv:2209.03003):
    x = (1 - sigma) x_0 + sigma noise, and the denoiser predicts dx/dsigma = noise - x_0.

    Its timesteps are sigmas from 0 to 1. They are drawn as the configuration says and then shifted towards noise, by a
    constant or by what the scheduler says for the number of image tokens (Esser et al. 2024, arXiv:2403.03206).

    patch: edge of what becomes one image token, in latents; of videos each frame has tokens of its own. levels: the
    only sigmas that are drawn, all alike and unshifted, instead. span: the part of all noise levels that the denoiser
    is for, from the first up to the second; the others are drawn again. mu: from the number of image tokens to the
    exponent of the shift, where a pipeline does not take the line that its scheduler describes.
    """

    def __init__(
        self,
        scheduler_config: Mapping[str, Any],
        *,
        config: TrainingConfig,
        patch: int,
        levels: Sequence[float] | None = None,
        span: tuple[float, float] = EVERYTHING,
        mu: Callable[[int], float] | None = None,
    ) -> None:
        self._scheduler = FlowMatchEulerDiscreteScheduler.from_config(dict(scheduler_config))
        self._patch = patch
        self._levels = levels or _custom_levels(config, span)
        self._span = span
        self._takes_turns = levels is None and config.flow_timesteps_mode == "round-robin"
        self._mu = mu or self._mu_on_line
        self._level_draws = _level_draws(config)
        self._shift = config.flow_schedule_shift or 1.0
        self._is_shifted_by_size = config.flow_schedule_auto_shift

    def draw_timesteps(self, draws: Draws, *, shape: Sequence[int], device: torch.device) -> Tensor:
        if self._levels is None:
            drawn = self._drawn_within(draws, shape=shape)
        elif self._takes_turns:
            drawn = torch.tensor([self._levels[place % len(self._levels)] for place in draws.places])
        else:
            drawn = torch.tensor([random.Random(seed).choice(self._levels) for seed in draws.seeds])
        return drawn.to(device, non_blocking=True)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        sigmas = as_wide_as(latents, timesteps)
        return (1 - sigmas) * latents + sigmas * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        return noise - latents

    def loss_weights(self, timesteps: Tensor) -> Tensor:
        """Ones: Min-SNR is about diffusion, and a flow weighs noise levels by how often they are drawn."""
        return torch.ones(timesteps.shape, device=timesteps.device)

    def noise_to_signal(self, timesteps: Tensor) -> Tensor:
        return timesteps / (1 - timesteps)

    def times(self, timesteps: Tensor) -> Tensor:
        return timesteps

    def fixed_timesteps(self, count: int, *, device: torch.device) -> Tensor:
        if self._levels is not None:
            levels = sorted(set(self._levels))
            return torch.tensor([levels[place % len(levels)] for place in range(count)], device=device)
        low, high = max(0.0, self._span[0]), min(1.0, self._span[1])
        return torch.tensor([low + (high - low) * (place + 0.5) / count for place in range(count)], device=device)

    def _drawn_within(self, draws: Draws, *, shape: Sequence[int]) -> Tensor:
        """Of each seed the first level within the span."""
        low, high = self._span
        levels = [self._level_draws(seed) for seed in draws.seeds]
        drawn = self._moved(levels, draws, shape=shape)
        for _ in range(MOST_DRAWS):
            is_within = (low <= drawn) & (drawn < high)
            if is_within.all():
                return drawn
            drawn = torch.where(is_within, drawn, self._moved(levels, draws, shape=shape))
        raise TrainingError(
            f"the denoiser is for noise levels from {max(0.0, low):g} to {min(1.0, high):g}, of which these options draw next to "
            "none; set flow_schedule_shift to 3, and leave out what else says how noise levels are drawn"
        )

    def _moved(self, levels: Sequence[Iterator[float]], draws: Draws, *, shape: Sequence[int]) -> Tensor:
        """The next ones, shifted."""
        drawn = self._shifted(torch.tensor([next(each) for each in levels]), shape=shape)
        return _moved_towards_noise(drawn, draws.offsets) if any(draws.offsets) else drawn

    def _shifted(self, sigmas: Tensor, *, shape: Sequence[int]) -> Tensor:
        if self._is_shifted_by_size:
            num_tokens = math.prod(shape[1:-2]) * (shape[-2] // self._patch) * (shape[-1] // self._patch)
            return self._scheduler.time_shift(self._mu(num_tokens), 1.0, sigmas)  # type: ignore[no-any-return]
        return self._shift * sigmas / (1 + (self._shift - 1) * sigmas)

    def _mu_on_line(self, num_tokens: int) -> float:
        known = self._scheduler.config
        mu: float = calculate_shift(
            num_tokens, known.base_image_seq_len, known.max_image_seq_len, known.base_shift, known.max_shift
        )
        return mu


def _level_draws(config: TrainingConfig) -> Callable[[int], Iterator[float]]:
    """How the sigmas of a seed are drawn before they are shifted: uniform, beta, or the sigmoid of normal numbers."""

    def uniform(seed: int) -> Iterator[float]:
        source = random.Random(seed)
        while True:
            yield source.random()

    def beta(seed: int) -> Iterator[float]:
        source = random.Random(seed)
        while True:
            yield source.betavariate(config.flow_beta_schedule_alpha, config.flow_beta_schedule_beta)

    def sigmoid(seed: int) -> Iterator[float]:
        source = _generator(seed, "cpu")
        while True:
            yield torch.sigmoid(config.flow_sigmoid_scale * torch.randn((), generator=source)).item()

    return uniform if config.flow_use_uniform_schedule else beta if config.flow_use_beta_schedule else sigmoid


def schedule_changes(config: TrainingConfig) -> dict[str, Any]:
    """What a run has otherwise than the scheduler of its base model says, in training and in sampling."""
    changes: dict[str, Any] = {"prediction_type": config.prediction_type} if config.prediction_type else {}
    return changes | ({"rescale_betas_zero_snr": True} if config.rescale_betas_zero_snr else {})


def timestep_shares(config: TrainingConfig, *, num_timesteps: int) -> Tensor | None:
    """How likely each timestep is drawn, (num_timesteps,), where some are preferred; None when all are alike.

    Its beginning is where there is little noise, and a range ends before its last timestep, as in diffusers' examples.
    """
    share = int(config.timestep_bias_portion * num_timesteps)
    preferred = {
        "earlier": range(share),
        "later": range(num_timesteps - share, num_timesteps),
        "range": range(config.timestep_bias_begin, min(config.timestep_bias_end, num_timesteps)),
    }.get(config.timestep_bias_strategy or "none")
    if preferred is None:
        return None
    weights = torch.ones(num_timesteps, dtype=torch.float64)
    weights[preferred.start : preferred.stop] *= config.timestep_bias_multiplier
    return weights / weights.sum()


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


def as_wide_as(latents: Tensor, timesteps: Tensor) -> Tensor:
    """(batch,) as (batch, 1, ...), to be multiplied with latents."""
    return timesteps.view(-1, *(1 for _ in latents.shape[1:]))


def _moved_towards_noise(times: Tensor, offsets: Sequence[float]) -> Tensor:
    """The odds t / (1 - t) times e^offset: what a shift of e^offset makes of a time."""
    shifts = torch.tensor(offsets).exp()
    return shifts * times / (1 + (shifts - 1) * times)


def _soft_gamma(config: TrainingConfig) -> float:
    if config.soft_min_snr_sigma_data is not None:
        return 1 / config.soft_min_snr_sigma_data**2
    assert config.snr_gamma is not None, "a rule"
    return config.snr_gamma


def _custom_levels(config: TrainingConfig, span: tuple[float, float]) -> list[float] | None:
    """Timesteps are counted to 1000, as schedulers do, or to 1 where none is larger."""
    written = config.flow_custom_timesteps
    if not written:
        return None
    levels = [each / 1000 for each in written] if max(written) > 1 else list(written)
    within = [level for level in levels if span[0] <= level < span[1]]
    if not within:
        raise TrainingError(
            f"flow_custom_timesteps has none that the denoiser is for, from {1000 * max(0.0, span[0]):g} to "
            f"{1000 * min(1.0, span[1]):g}; add some, or leave it empty"
        )
    return within


def _generator(seed: int, device: torch.device | str) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)
