"""Targets and weights equal those of diffusers' own formulas, at the ends of the schedule too."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from domain.config.checks import check_training
from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.losses import losses_of
from trainer.objective import DiffusionSchedule, Draws, FlowSchedule, draw_noise, draw_timesteps

SCALED_LINEAR: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
ZERO_SNR = SCALED_LINEAR | {"rescale_betas_zero_snr": True}
TIMESTEPS = torch.tensor([0, 1, 250, 500, 998, 999])
CPU = torch.device("cpu")


def schedule_of(scheduler: dict[str, Any], prediction_type: str, **options: Any) -> DiffusionSchedule:
    written = {"model_family": "sd1x", "prediction_type": prediction_type, **options}
    return DiffusionSchedule(DDIMScheduler(**scheduler).config, config=check_training(written))


def draws_of(seeds: Sequence[int], *, offsets: Sequence[float] = (), batch_size: int = 4) -> Draws:
    return Draws(seeds=seeds, places=seeds, batch_size=batch_size, offsets=offsets)


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
    schedule = schedule_of(ZERO_SNR, "v_prediction")
    timesteps = torch.full((len(TIMESTEPS),), 999)
    noisy = schedule.add_noise(latents, noise, timesteps)
    target = schedule.target(latents, noise, timesteps)
    assert torch.allclose(scheduler.step(target, 999, noisy).pred_original_sample, latents, atol=1e-6)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_weights_without_gamma_are_one(prediction_type: str) -> None:
    weights = schedule_of(ZERO_SNR, prediction_type).loss_weights(TIMESTEPS)
    assert torch.equal(weights, torch.ones(len(TIMESTEPS)))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_weights_equal_the_paper(prediction_type: str) -> None:
    alphas = DDPMScheduler(**SCALED_LINEAR).alphas_cumprod[TIMESTEPS]
    snr = alphas / (1 - alphas)
    divisor = snr if prediction_type == "epsilon" else snr + 1
    weights = schedule_of(SCALED_LINEAR, prediction_type, snr_gamma=5.0).loss_weights(TIMESTEPS)
    assert torch.allclose(weights, torch.minimum(snr, torch.tensor(5.0)) / divisor, rtol=1e-5)


def test_min_snr_weight_at_zero_snr_is_a_number() -> None:
    last = torch.tensor([999])
    assert schedule_of(ZERO_SNR, "epsilon", snr_gamma=5.0).loss_weights(last).item() == 1
    assert schedule_of(ZERO_SNR, "v_prediction", snr_gamma=5.0).loss_weights(last).item() == 0


def test_v_loss_weighted_by_gamma_is_the_weighted_loss_on_the_latents() -> None:
    """(SNR + 1) |x_0 - x_0'|^2 = |v - v'|^2, so dividing by SNR + 1 leaves min(SNR, gamma) on x_0."""
    latents, noise = latents_and_noise()
    schedule = schedule_of(SCALED_LINEAR, "v_prediction", snr_gamma=5.0)
    alphas = DDPMScheduler(**SCALED_LINEAR).alphas_cumprod[TIMESTEPS].double()
    alpha, sigma = (each.sqrt().view(-1, 1, 1, 1) for each in (alphas, 1 - alphas))
    guess = latents.double() + 0.1
    noisy = alpha * latents + sigma * noise
    guessed_v = alpha * (noisy - alpha * guess) / sigma - sigma * guess
    weights = schedule.loss_weights(TIMESTEPS)
    loss = losses_of(
        guessed_v, schedule.target(latents, noise, TIMESTEPS), weights, bends=weights, loss_type="l2"
    ).mean()
    snr = alphas / (1 - alphas)
    assert loss.item() == pytest.approx((snr.clamp(max=5) * 0.1**2).mean().item(), rel=1e-3)


def test_override_of_the_prediction_type_wins() -> None:
    config = DDIMScheduler(**ZERO_SNR, prediction_type="v_prediction").config
    overriding = check_training({"model_family": "sd1x", "prediction_type": "epsilon"})
    assert DiffusionSchedule(config, config=overriding).prediction_type == "epsilon"


def test_prediction_of_the_sample_is_refused() -> None:
    with pytest.raises(TrainingError, match="sample"):
        schedule_of(SCALED_LINEAR, "sample")


def test_loss_of_a_sample_is_its_weighted_mean_squared_error() -> None:
    prediction = torch.tensor([[1.0, 3.0], [2.0, 2.0]]).view(2, 1, 1, 2)
    weights = torch.tensor([1.0, 0.5])
    losses = losses_of(prediction, torch.zeros_like(prediction), weights, bends=weights, loss_type="l2")
    assert losses.tolist() == [1.0 * 5, 0.5 * 4]


def test_noise_of_a_sample_does_not_depend_on_its_batch() -> None:
    together = draw_noise([1, 2, 3], shape=(4, 2, 2), device=CPU)
    assert torch.equal(draw_noise([3], shape=(4, 2, 2), device=CPU)[0], together[2])


def test_timesteps_are_uniform() -> None:
    drawn = draw_timesteps(range(4000), num_timesteps=1000, device=CPU)
    counts = torch.histc(drawn.float(), bins=10, min=0, max=1000)
    assert drawn.min() >= 0
    assert drawn.max() <= 999
    assert (counts - 400).abs().max() < 4 * math.sqrt(400)


# ---- flow matching

TOKENS = (16, 128, 128)
"""Latents of a picture of 1024 × 1024 pixels, which are 4096 tokens at a patch of 2."""


def flow_of(*, dynamic: bool = False, levels: tuple[float, ...] | None = None, **options: Any) -> FlowSchedule:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=dynamic)
    config = TrainingConfig(model_family="flux", **options)
    return FlowSchedule(scheduler.config, config=config, patch=2, levels=levels)


def drawn(schedule: FlowSchedule, *, num: int = 4000, shape: tuple[int, ...] = TOKENS) -> Tensor:
    return schedule.draw_timesteps(draws_of(range(num)), shape=shape, device=CPU)


def test_flow_noises_as_the_scheduler_does() -> None:
    latents, noise = latents_and_noise()
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    places = [0, 1, 250, 500, 998, 999]
    expected = scheduler.scale_noise(latents, scheduler.timesteps[places], noise)
    assert torch.allclose(flow_of().add_noise(latents, noise, scheduler.sigmas[places]), expected, atol=1e-6)


def test_flow_target_leads_the_sampler_to_the_latents_in_one_step() -> None:
    latents, noise = latents_and_noise()
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=[0.7])
    sigmas = torch.full((len(TIMESTEPS),), 0.7)
    noisy = flow_of().add_noise(latents, noise, sigmas)
    target = flow_of().target(latents, noise, sigmas)
    assert torch.allclose(scheduler.step(target, scheduler.timesteps[0], noisy).prev_sample, latents, atol=1e-6)


def test_flow_weighs_all_noise_levels_alike() -> None:
    assert torch.equal(flow_of().loss_weights(torch.tensor([0.0, 0.5, 1.0])), torch.ones(3))


@pytest.mark.parametrize(
    ("options", "quartiles"),
    [
        # Of a standard normal number, a quarter lies below -0.6745.
        ({}, [1 / (1 + math.exp(0.6745)), 0.5, 1 / (1 + math.exp(-0.6745))]),
        ({"flow_sigmoid_scale": 2.0}, [1 / (1 + math.exp(2 * 0.6745)), 0.5, 1 / (1 + math.exp(-2 * 0.6745))]),
        ({"flow_use_uniform_schedule": True}, [0.25, 0.5, 0.75]),
        ({"flow_use_beta_schedule": True}, [0.3264, 0.5, 0.6736]),
        # With a beta of 1, the distribution function is x^alpha.
        (
            {"flow_use_beta_schedule": True, "flow_beta_schedule_alpha": 3.0, "flow_beta_schedule_beta": 1.0},
            [0.25 ** (1 / 3), 0.5 ** (1 / 3), 0.75 ** (1 / 3)],
        ),
    ],
)
def test_sigmas_are_distributed_as_the_options_say(options: dict[str, Any], quartiles: list[float]) -> None:
    sigmas = drawn(flow_of(flow_schedule_shift=0, **options))
    assert sigmas.quantile(torch.tensor([0.25, 0.5, 0.75])).tolist() == pytest.approx(quartiles, abs=0.03)
    assert sigmas.min() >= 0
    assert sigmas.max() <= 1


def test_static_shift_equals_the_schedulers() -> None:
    unshifted = drawn(flow_of(flow_schedule_shift=1.0), num=10)
    expected = 3.0 * unshifted / (1 + 2.0 * unshifted)
    assert torch.allclose(drawn(flow_of(), num=10), expected)


def test_shift_by_size_equals_what_the_pipeline_samples_at() -> None:
    """A thousand tokens lie between the base (256, 0.5) and the largest (4096, 1.15)."""
    unshifted = drawn(flow_of(flow_schedule_shift=1.0), num=10)
    shifted = drawn(flow_of(dynamic=True, flow_schedule_auto_shift=True), num=10, shape=(16, 64, 64))
    mu = 0.5 + (1024 - 256) / (4096 - 256) * (1.15 - 0.5)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    order = unshifted.argsort(descending=True)
    scheduler.set_timesteps(sigmas=unshifted[order].tolist(), mu=mu)
    assert torch.allclose(shifted[order], scheduler.sigmas[:-1], atol=1e-6)


def test_given_levels_are_drawn_unshifted_and_alone() -> None:
    sigmas = drawn(flow_of(levels=(1.0, 1.0, 1.0, 0.5)))
    assert set(sigmas.tolist()) == {0.5, 1.0}
    assert (sigmas == 1.0).float().mean().item() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("options", [{}, {"flow_use_uniform_schedule": True}, {"flow_use_beta_schedule": True}])
def test_sigma_of_a_sample_depends_on_its_seed_alone(options: dict[str, Any]) -> None:
    together = drawn(flow_of(**options), num=3)
    torch.manual_seed(1)
    alone = flow_of(**options).draw_timesteps(draws_of([2]), shape=TOKENS, device=CPU)
    assert torch.equal(alone, together[2:])


def test_fixed_timesteps_lie_evenly_in_what_is_drawn_from() -> None:
    diffusion = schedule_of(SCALED_LINEAR, "epsilon")
    assert diffusion.fixed_timesteps(4, device=CPU).tolist() == [125, 375, 625, 875]
    assert diffusion.fixed_timesteps(1000, device=CPU).tolist() == list(range(1000))
    config = TrainingConfig(model_family="flux")
    flow = FlowSchedule({}, config=config, patch=2)
    assert flow.fixed_timesteps(4, device=CPU).tolist() == [0.125, 0.375, 0.625, 0.875]
    fast = FlowSchedule({}, config=config, patch=2, levels=(1.0, 1.0, 0.5))
    assert fast.fixed_timesteps(3, device=CPU).tolist() == [0.5, 1.0, 0.5]


def test_times_run_from_0_to_1() -> None:
    timesteps = torch.tensor([0, 250, 999])
    assert schedule_of(SCALED_LINEAR, "epsilon").times(timesteps).tolist() == pytest.approx([0, 0.25, 0.999])
