"""Targets and weights equal those of diffusers' own formulas, at the ends of the schedule too."""

import math
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from trainer.errors import TrainingError
from trainer.objective import DiffusionSchedule, draw_noise, draw_timesteps, weighted_mse

SCALED_LINEAR: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
ZERO_SNR = SCALED_LINEAR | {"rescale_betas_zero_snr": True}
TIMESTEPS = torch.tensor([0, 1, 250, 500, 998, 999])
CPU = torch.device("cpu")


def schedule_of(config: dict[str, Any], prediction_type: str) -> DiffusionSchedule:
    return DiffusionSchedule(DDIMScheduler(**config, prediction_type=prediction_type).config)


def latents_and_noise() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, len(TIMESTEPS), 4, 8, 8, generator=generator)
    return latents, noise


@pytest.mark.parametrize("config", [SCALED_LINEAR, ZERO_SNR])
@pytest.mark.parametrize("scheduler_class", [DDPMScheduler, DDIMScheduler])
def test_noised_latents_equal_diffusers(config: dict[str, Any], scheduler_class: Any) -> None:
    latents, noise = latents_and_noise()
    expected = scheduler_class(**config).add_noise(latents, noise, TIMESTEPS)
    assert torch.equal(schedule_of(config, "epsilon").add_noise(latents, noise, TIMESTEPS), expected)


def test_epsilon_target_is_the_noise() -> None:
    latents, noise = latents_and_noise()
    assert torch.equal(schedule_of(SCALED_LINEAR, "epsilon").target(latents, noise, TIMESTEPS), noise)


@pytest.mark.parametrize("config", [SCALED_LINEAR, ZERO_SNR])
def test_v_target_equals_diffusers(config: dict[str, Any]) -> None:
    latents, noise = latents_and_noise()
    expected = DDIMScheduler(**config).get_velocity(latents, noise, TIMESTEPS)
    assert torch.equal(schedule_of(config, "v_prediction").target(latents, noise, TIMESTEPS), expected)


def test_last_timestep_with_zero_terminal_snr_is_pure_noise_and_its_v_the_negated_latents() -> None:
    latents, noise = latents_and_noise()
    schedule = schedule_of(ZERO_SNR, "v_prediction")
    assert torch.equal(schedule.add_noise(latents, noise, TIMESTEPS)[-1], noise[-1])
    assert torch.equal(schedule.target(latents, noise, TIMESTEPS)[-1], -latents[-1])


def test_sampler_with_the_v_target_gives_the_latents_back() -> None:
    """A perfect prediction brings diffusers' own sampler from any noise level to x_0 in one step."""
    latents, noise = latents_and_noise()
    scheduler = DDIMScheduler(
        **ZERO_SNR, prediction_type="v_prediction", timestep_spacing="trailing", clip_sample=False
    )
    scheduler.set_timesteps(1)
    schedule = DiffusionSchedule(scheduler.config)
    timesteps = torch.full((len(TIMESTEPS),), 999)
    noisy = schedule.add_noise(latents, noise, timesteps)
    target = schedule.target(latents, noise, timesteps)
    assert torch.allclose(scheduler.step(target, 999, noisy).pred_original_sample, latents, atol=1e-6)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_weights_without_gamma_are_one(prediction_type: str) -> None:
    weights = schedule_of(ZERO_SNR, prediction_type).loss_weights(TIMESTEPS, snr_gamma=None)
    assert torch.equal(weights, torch.ones(len(TIMESTEPS)))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_weights_equal_the_paper(prediction_type: str) -> None:
    alphas = DDPMScheduler(**SCALED_LINEAR).alphas_cumprod[TIMESTEPS]
    snr = alphas / (1 - alphas)
    divisor = snr if prediction_type == "epsilon" else snr + 1
    weights = schedule_of(SCALED_LINEAR, prediction_type).loss_weights(TIMESTEPS, snr_gamma=5.0)
    assert torch.allclose(weights, torch.minimum(snr, torch.tensor(5.0)) / divisor, rtol=1e-5)


def test_min_snr_weight_at_zero_snr_is_a_number() -> None:
    last = torch.tensor([999])
    assert schedule_of(ZERO_SNR, "epsilon").loss_weights(last, snr_gamma=5.0).item() == 1
    assert schedule_of(ZERO_SNR, "v_prediction").loss_weights(last, snr_gamma=5.0).item() == 0


def test_v_loss_weighted_by_gamma_is_the_weighted_loss_on_the_latents() -> None:
    """(SNR + 1) |x_0 - x_0'|^2 = |v - v'|^2, so dividing by SNR + 1 leaves min(SNR, gamma) on x_0."""
    latents, noise = latents_and_noise()
    schedule = schedule_of(SCALED_LINEAR, "v_prediction")
    alphas = DDPMScheduler(**SCALED_LINEAR).alphas_cumprod[TIMESTEPS].double()
    alpha, sigma = (each.sqrt().view(-1, 1, 1, 1) for each in (alphas, 1 - alphas))
    guess = latents.double() + 0.1
    noisy = alpha * latents + sigma * noise
    guessed_v = alpha * (noisy - alpha * guess) / sigma - sigma * guess
    loss = weighted_mse(
        guessed_v, schedule.target(latents, noise, TIMESTEPS), schedule.loss_weights(TIMESTEPS, snr_gamma=5.0)
    )
    snr = alphas / (1 - alphas)
    assert loss.item() == pytest.approx((snr.clamp(max=5) * 0.1**2).mean().item(), rel=1e-3)


def test_override_of_the_prediction_type_wins() -> None:
    config = DDIMScheduler(**ZERO_SNR, prediction_type="v_prediction").config
    assert DiffusionSchedule(config, prediction_type="epsilon").prediction_type == "epsilon"


def test_prediction_of_the_sample_is_refused() -> None:
    with pytest.raises(TrainingError, match="sample"):
        schedule_of(SCALED_LINEAR, "sample")


def test_loss_is_the_mean_of_each_samples_weighted_error() -> None:
    prediction = torch.tensor([[1.0, 3.0], [2.0, 2.0]]).view(2, 1, 1, 2)
    loss = weighted_mse(prediction, torch.zeros_like(prediction), torch.tensor([1.0, 0.5]))
    assert loss.item() == (1.0 * 5 + 0.5 * 4) / 2


def test_noise_of_a_sample_does_not_depend_on_its_batch() -> None:
    together = draw_noise([1, 2, 3], shape=(4, 2, 2), device=CPU)
    assert torch.equal(draw_noise([3], shape=(4, 2, 2), device=CPU)[0], together[2])


def test_timesteps_are_uniform() -> None:
    drawn = draw_timesteps(range(4000), num_timesteps=1000, device=CPU)
    counts = torch.histc(drawn.float(), bins=10, min=0, max=1000)
    assert drawn.min() >= 0
    assert drawn.max() <= 999
    assert (counts - 400).abs().max() < 4 * math.sqrt(400)
