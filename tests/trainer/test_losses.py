"""Losses and what they weigh, against the papers' formulas in numbers."""

import math
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, PNDMScheduler
from torch import Tensor

from domain.config.checks import check_training
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput
from trainer.families.pipelines import use_schedule
from trainer.losses import bends, fitted, losses_of
from trainer.noise import perturbed, with_offset
from trainer.objective import DiffusionSchedule, FlowSchedule

SCALED_LINEAR: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
TIMESTEPS = torch.tensor([0, 250, 999])
ALPHAS = DDPMScheduler(**SCALED_LINEAR).alphas_cumprod[TIMESTEPS].double()
SNR = ALPHAS / (1 - ALPHAS)


def config_of(family: str = "sd1x", **options: Any) -> TrainingConfig:
    return check_training({"model_family": family, **options})


def schedule_of(config: TrainingConfig) -> DiffusionSchedule:
    return DiffusionSchedule(SCALED_LINEAR, config=config)


def loss(loss_type: Any, *, error: float, bend: float) -> float:
    prediction = torch.full((1, 2, 2), error)
    one = torch.ones(1)
    return losses_of(prediction, torch.zeros(1, 2, 2), one, bends=bend * one, loss_type=loss_type).item()


@pytest.mark.parametrize("error", [0.0, -0.3, 4.0])
def test_pseudo_huber_equals_its_formula(error: float) -> None:
    root = math.sqrt(error**2 + 0.1**2) - 0.1
    assert loss("huber", error=error, bend=0.1) == pytest.approx(2 * 0.1 * root, rel=1e-5, abs=1e-7)
    assert loss("smooth_l1", error=error, bend=0.1) == pytest.approx(2 * root, rel=1e-5, abs=1e-7)
    assert loss("l2", error=error, bend=0.1) == pytest.approx(error**2)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", torch.full((3,), 0.2, dtype=torch.float64)),
        ("exponential", torch.exp(math.log(0.2) * TIMESTEPS.double() / 1000)),
        ("snr", 0.8 / (1 + SNR**-0.5) ** 2 + 0.2),
    ],
)
def test_bend_follows_its_schedule(schedule: str, expected: Tensor) -> None:
    config = config_of(loss_type="huber", huber_schedule=schedule, huber_c=0.2)
    torch.testing.assert_close(bends(config, schedule_of(config), TIMESTEPS).double(), expected, rtol=1e-4, atol=0)


def test_bend_of_a_flow_goes_from_one_to_the_end() -> None:
    config = config_of("flux", loss_type="huber", huber_c=0.2)
    found = bends(config, FlowSchedule({}, config=config, patch=2), torch.tensor([0.0, 0.5, 1.0]))
    assert found.tolist() == pytest.approx([1.0, 0.8 / 4 + 0.2, 0.2])


@pytest.mark.parametrize(
    ("options", "gamma"),
    [
        ({"snr_gamma": 5.0}, 5.0),
        ({"soft_min_snr_sigma_data": 0.5}, 4.0),
        ({"snr_gamma": 5.0, "soft_min_snr_sigma_data": 0.5}, 4.0),
    ],
)
@pytest.mark.parametrize(("prediction_type", "more"), [("epsilon", 0), ("v_prediction", 1)])
def test_soft_min_snr_equals_the_paper(options: dict[str, Any], gamma: float, prediction_type: str, more: int) -> None:
    """On x_0 it is 1 / (sigma² + 1 / gamma), in units where the signal is not scaled."""
    config = config_of(**options, use_soft_min_snr=True, snr_weight=0.5, prediction_type=prediction_type)
    on_latents = 1 / (1 / SNR + 1 / gamma)
    weights = schedule_of(config).loss_weights(TIMESTEPS).double()
    torch.testing.assert_close(weights, 0.5 * on_latents / (SNR + more), rtol=1e-4, atol=0)


def test_weight_of_min_snr_counts_with_it_alone() -> None:
    assert schedule_of(config_of(snr_weight=3.0)).loss_weights(TIMESTEPS).tolist() == [1, 1, 1]
    weighted = schedule_of(config_of(snr_weight=3.0, snr_gamma=5.0)).loss_weights(TIMESTEPS)
    assert torch.equal(weighted, 3 * schedule_of(config_of(snr_gamma=5.0)).loss_weights(TIMESTEPS))


def test_soft_min_snr_without_a_bend_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither snr_gamma nor soft_min_snr_sigma_data"):
        config_of(use_soft_min_snr=True)


def test_zero_terminal_snr_is_diffusers_own_in_training_and_in_sampling() -> None:
    config = config_of(rescale_betas_zero_snr=True)
    latents, noise = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = DDPMScheduler(**SCALED_LINEAR, rescale_betas_zero_snr=True).add_noise(latents, noise, TIMESTEPS)
    assert torch.equal(schedule_of(config).add_noise(latents, noise, TIMESTEPS), expected)
    assert torch.equal(expected[-1], noise[-1])

    class Pipeline:
        scheduler: Any = PNDMScheduler(**SCALED_LINEAR)

    use_schedule(Pipeline, config)
    Pipeline.scheduler.set_timesteps(4)
    assert Pipeline.scheduler.timesteps.tolist() == [999, 749, 499, 249]
    assert Pipeline.scheduler.alphas_cumprod[-1] == 0


def test_offset_shifts_whole_channels_of_as_many_samples_as_are_asked_for() -> None:
    config = config_of(offset_noise=True, noise_offset=0.5, noise_offset_probability=0.25)
    noise = torch.zeros(2000, 3, 2, 2)
    shifted = with_offset(noise, range(2000), config)
    by_channel = shifted.flatten(2)
    assert torch.equal(by_channel, by_channel[:, :, :1].expand(-1, -1, 4))
    is_shifted = by_channel[:, :, 0].abs().sum(1) > 0
    assert is_shifted.float().mean().item() == pytest.approx(0.25, abs=0.04)
    assert by_channel[is_shifted, :, 0].std().item() == pytest.approx(0.5, abs=0.04)
    assert torch.equal(with_offset(noise[7:8], [7], config), shifted[7:8])


def test_perturbation_fades_out_over_its_steps() -> None:
    noise = torch.zeros(4, 4, 32, 32)
    fading = config_of(input_perturbation=0.2, input_perturbation_steps=10)
    sizes = [perturbed(noise, range(4), fading, step=step).std().item() for step in (0, 5, 10, 20)]
    assert sizes == pytest.approx([0.2, 0.1, 0, 0], abs=0.01)
    staying = config_of(input_perturbation=0.2)
    assert perturbed(noise, range(4), staying, step=1000).std().item() == pytest.approx(0.2, abs=0.01)


def test_masked_loss_is_the_mean_over_what_the_mask_shows() -> None:
    """By hand: errors 1, 2, 3, 4 in a picture of 2 × 2 with two channels alike."""
    errors = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(3, 2, 2, 2)
    masks = torch.tensor([[[1.0, 0.0], [0.0, 0.5]], [[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    ones = torch.ones(3)
    losses = losses_of(
        errors, torch.zeros_like(errors), 2 * ones, bends=ones, loss_type="l2", masks=fitted(masks, errors)
    )
    assert losses.tolist() == pytest.approx([2 * (1 + 0.5 * 16) / 1.5, 2 * 30 / 4, 0])


def test_mask_fits_coarser_latents_and_videos() -> None:
    mask = torch.zeros(1, 4, 8)
    mask[0, :2, :3] = 1
    assert fitted(mask, torch.zeros(1, 16, 2, 4)).tolist() == [[[[1, 0.5, 0, 0], [0, 0, 0, 0]]]]
    assert fitted(mask, torch.zeros(1, 16, 5, 2, 4)).shape == (1, 1, 1, 2, 4)
