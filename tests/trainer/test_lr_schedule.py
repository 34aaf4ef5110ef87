"""Learning rates by step, reckoned by hand."""

import math
from typing import Any

import pytest
import torch

from domain.config.checks import check_training
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput
from trainer.lr_schedule import make_lr_schedule

STEPS = 12


def optimizer_of(config: TrainingConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.scaled_learning_rate)


def config_of(**options: Any) -> TrainingConfig:
    return check_training({"model_family": "sd1x", "learning_rate": 0.1, **options})


def rates(**options: Any) -> list[float]:
    """Of each step, and what would be the next one's."""
    config = config_of(**options)
    optimizer = optimizer_of(config)
    schedule = make_lr_schedule(config, optimizer, total_steps=STEPS)
    made = []
    for _ in range(STEPS + 1):
        made.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return made


def cosine(progress: float) -> float:
    return 0.1 * (1 + math.cos(math.pi * progress)) / 2


RISE = [0, 0.025, 0.05, 0.075]
VECTORS: dict[str, list[float]] = {
    "constant": [0.1] * 13,
    "constant_with_warmup": [*RISE, *[0.1] * 9],
    "linear": [*RISE, *(0.1 * (1 - step / 8) for step in range(9))],
    "cosine": [*RISE, *(cosine(step / 8) for step in range(9))],
    "cosine_with_restarts": [*RISE, *(cosine(step % 4 / 4) for step in range(8)), 0],
    "polynomial": [*RISE, *(0.02 + 0.08 * (1 - step / 8) ** 2 for step in range(9))],
    "sine": [*RISE, 0.1, 0.06, 0.02, 0.06, 0.1, 0.06, 0.02, 0.06, 0.1],
}
OPTIONS = {"lr_warmup_steps": 4, "lr_num_cycles": 2, "lr_power": 2.0, "lr_end": 0.02}


@pytest.mark.parametrize("name", VECTORS)
def test_schedule_goes_as_reckoned(name: str) -> None:
    assert rates(lr_scheduler=name, **OPTIONS) == pytest.approx(VECTORS[name])


@pytest.mark.parametrize("name", VECTORS)
def test_schedule_goes_on_from_any_step_exactly_as_without_interruption(name: str) -> None:
    config = config_of(lr_scheduler=name, **OPTIONS)
    resumed = []
    for step in range(STEPS + 1):
        optimizer = optimizer_of(config)
        make_lr_schedule(config, optimizer, total_steps=STEPS, start_step=step)
        resumed.append(optimizer.param_groups[0]["lr"])
    assert resumed == rates(lr_scheduler=name, **OPTIONS)


@pytest.mark.parametrize(("is_root", "rate"), [(False, 0.1 * 16), (True, 0.1 * 4)])
def test_learning_rate_grows_with_the_effective_batch(is_root: bool, rate: float) -> None:
    options = {"lr_scheduler": "constant", "train_batch_size": 8, "gradient_accumulation_steps": 2, "lr_scale": True}
    assert rates(**options, lr_scale_sqrt=is_root)[0] == pytest.approx(rate)
    assert rates(**options | {"lr_scale": False}, lr_scale_sqrt=is_root)[0] == 0.1


def test_end_above_the_beginning_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"lr_end is 0\.2 but the learning rate is 0\.1"):
        config_of(lr_scheduler="polynomial", lr_end=0.2)
