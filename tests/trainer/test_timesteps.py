"""Which timesteps are drawn, and how often."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from domain.config.checks import check_training
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput
from trainer.objective import DiffusionSchedule, Draws, FlowSchedule, timestep_shares

CPU = torch.device("cpu")
SHAPE = (4, 8, 8)


def config_of(family: str = "sd1x", **options: Any) -> TrainingConfig:
    return check_training({"model_family": family, **options})


def drawn(
    config: TrainingConfig, seeds: Sequence[int], *, batch_size: int = 8, offsets: Sequence[float] = ()
) -> Tensor:
    schedule = (
        DiffusionSchedule({}, config=config)
        if config.model_family == "sd1x"
        else FlowSchedule({}, config=config, patch=2)
    )
    draws = Draws(seeds=seeds, places=seeds, batch_size=batch_size, offsets=offsets)
    return schedule.draw_timesteps(draws, shape=SHAPE, device=CPU)


@pytest.mark.parametrize(
    ("options", "preferred"),
    [
        ({"timestep_bias_strategy": "earlier", "timestep_bias_portion": 0.1}, range(100)),
        ({"timestep_bias_strategy": "later", "timestep_bias_portion": 0.1}, range(900, 1000)),
        ({"timestep_bias_strategy": "later", "timestep_bias_portion": 0}, range(0)),
        ({"timestep_bias_strategy": "range", "timestep_bias_begin": 200, "timestep_bias_end": 300}, range(200, 300)),
    ],
)
@pytest.mark.parametrize("multiplier", [0.0, 3.0])
def test_preferred_timesteps_have_their_share(options: dict[str, Any], preferred: range, multiplier: float) -> None:
    config = config_of(**options, timestep_bias_multiplier=multiplier)
    shares = timestep_shares(config, num_timesteps=1000)
    assert shares is not None
    total = 1000 + (multiplier - 1) * len(preferred)
    expected = [(multiplier if each in preferred else 1) / total for each in range(1000)]
    assert shares.tolist() == pytest.approx(expected)
    found = drawn(config, range(3000))
    share = multiplier * len(preferred) / total
    counted = sum(int(each) in preferred for each in found) / 3000
    assert counted == pytest.approx(share, abs=4 * math.sqrt(max(share * (1 - share), 0) / 3000))


def test_without_a_strategy_all_are_alike() -> None:
    for options in ({}, {"timestep_bias_strategy": "none"}):
        assert timestep_shares(config_of(**options, timestep_bias_multiplier=5), num_timesteps=1000) is None


def test_multiplier_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="none is left to train"):
        config_of(timestep_bias_strategy="earlier", timestep_bias_portion=1, timestep_bias_multiplier=0)


def test_spread_batch_has_one_timestep_of_each_segment() -> None:
    config = config_of(disable_segmented_timestep_sampling=False)
    for first in range(0, 80, 8):
        found = drawn(config, range(first, first + 8))
        assert (found // 125).tolist() == list(range(8))
    parts = [drawn(config, [seed]) for seed in range(8)]
    assert torch.equal(torch.cat(parts), drawn(config, range(8)))


def test_spread_batch_follows_the_preference() -> None:
    """Of a schedule whose last fifth counts four times, half of all draws lie there."""
    options: dict[str, Any] = {
        "timestep_bias_strategy": "later",
        "timestep_bias_portion": 0.2,
        "timestep_bias_multiplier": 4.0,
    }
    found = drawn(config_of(disable_segmented_timestep_sampling=False, **options), range(8))
    assert (found >= 800).tolist() == [False] * 4 + [True] * 4


@pytest.mark.parametrize(
    ("written", "levels"),
    [([1000, 500.5, 250], [1.0, 0.5005, 0.25]), ([1.0, 0.5], [1.0, 0.5])],
)
def test_fixed_timesteps_are_the_only_ones(written: Any, levels: list[float]) -> None:
    found = drawn(config_of("flux", flow_custom_timesteps=written), range(60))
    assert sorted(set(found.tolist())) == pytest.approx(sorted(levels))
    in_turn = drawn(config_of("flux", flow_custom_timesteps=written, flow_timesteps_mode="round-robin"), range(6))
    assert in_turn.tolist() == pytest.approx([levels[place % len(levels)] for place in range(6)])


@pytest.mark.parametrize("written", [[0.0, 1.0], [1001], [-1]])
def test_fixed_timesteps_that_are_none_are_refused(written: list[float]) -> None:
    with pytest.raises(InvalidInput, match="flow_custom_timesteps"):
        config_of("flux", flow_custom_timesteps=written)


def test_offset_of_a_dataset_is_a_shift_of_its_own() -> None:
    once = config_of("flux", flow_schedule_shift=1.0)
    shifted = drawn(config_of("flux", flow_schedule_shift=math.e), range(20))
    torch.testing.assert_close(drawn(once, range(20), offsets=[1.0] * 20), shifted)
    assert torch.equal(drawn(once, range(20), offsets=[0.0] * 20), drawn(once, range(20)))
    diffusion = drawn(config_of(), range(4000), offsets=[-1.0] * 4000)
    # Of uniform times, half lie below 1 / (1 + e) when odds are divided by e.
    assert diffusion.float().median().item() == pytest.approx(1000 / (1 + math.e), abs=20)
    assert 0 <= int(diffusion.min()) <= int(diffusion.max()) <= 999
