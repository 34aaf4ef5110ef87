"""Optimizers: each goes on exactly after a resume, and what the configuration says reaches it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch.nn import Parameter

from domain.config.checks import check_training
from domain.config.options import options_by_key
from domain.config.training import TrainingConfig
from domain.errors import InvalidInput
from trainer.adamw_bf16 import AdamWBf16, round_by_chance
from trainer.errors import TrainingError
from trainer.lr_schedule import make_lr_schedule
from trainer.optim import (
    RECIPES,
    check_optimizer,
    hold_for_optimizer,
    learning_rate_of,
    make_optimizer,
    weights_for_inference,
)
from trainer.state import load_state, save_state

CPU = torch.device("cpu")
ON_CPU = sorted(name for name, recipe in RECIPES.items() if not recipe.needs_cuda)


def config_of(optimizer: str, **options: Any) -> TrainingConfig:
    return check_training({"model_family": "sd1x", "optimizer": optimizer, "learning_rate": 0.01, **options})


class Run:
    """A layer that is to become the negative of what it is shown; the input is a function of the step alone."""

    def __init__(
        self, config: TrainingConfig, *, weights: Sequence[torch.Tensor] = (), folder: Path | None = None
    ) -> None:
        torch.manual_seed(0)
        layer = torch.nn.Linear(6, 6)
        self.parameters = list(layer.parameters())
        hold_for_optimizer(config, self.parameters, torch.bfloat16)
        for parameter, given in zip(self.parameters, weights, strict=False):
            parameter.data.copy_(given)
        self.accelerator = Accelerator(cpu=True)
        optimizer = make_optimizer(config, self.parameters)
        self.step = 0 if folder is None else 3
        self.schedule = make_lr_schedule(config, optimizer, total_steps=6, start_step=self.step)
        self.layer, self.optimizer = layer, self.accelerator.prepare_optimizer(optimizer)
        if folder is not None:
            load_state(folder, optimizer=self.optimizer, parameters=self.parameters, accelerator=self.accelerator)
        self.optimizer.train()

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            shown = torch.randn(4, 6, generator=torch.Generator().manual_seed(self.step)).to(self.layer.weight.dtype)
            (self.layer(shown) + shown).square().mean().backward()
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad()
            self.step += 1

    def save(self, folder: Path) -> list[torch.Tensor]:
        """Returns what the file with the weights has."""
        with weights_for_inference(self.optimizer, self.parameters):
            weights = [each.detach().clone() for each in self.parameters]
        save_state(folder, optimizer=self.optimizer, parameters=self.parameters, accelerator=self.accelerator)
        return weights


def test_every_usable_optimizer_has_a_recipe() -> None:
    assert sorted(options_by_key(TrainingConfig)["optimizer"].choices) == sorted(RECIPES)


@pytest.mark.parametrize("name", ON_CPU)
def test_resumed_optimizer_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    config = config_of(name, lr_scheduler="polynomial", lr_warmup_steps=1, prodigy_steps=4)
    whole, killed = Run(config), Run(config)
    before = [each.detach().clone() for each in whole.parameters]
    whole.go_on(6)
    killed.go_on(3)
    weights = killed.save(tmp_path)
    resumed = Run(config, weights=weights, folder=tmp_path)
    resumed.go_on(3)
    for now, expected, first in zip(resumed.parameters, whole.parameters, before, strict=True):
        assert torch.equal(now, expected)
        assert not torch.equal(now, first)


def test_settings_reach_the_optimizer_and_the_others_stay_as_its_library_has_them() -> None:
    options = {"optimizer_beta2": 0.98, "adam_weight_decay": 0.2, "adam_epsilon": 1e-5}
    (group,) = Run(config_of("torch-adamw", **options, optimizer_config="amsgrad=true")).optimizer.param_groups
    assert (group["betas"], group["weight_decay"], group["eps"]) == ((0.9, 0.98), 0.2, 1e-5)
    assert group["amsgrad"] is True
    (lion,) = Run(config_of("optimi-lion")).optimizer.param_groups
    assert (lion["beta1"], lion["beta2"]) == (0.9, 0.99)
    (adan,) = Run(config_of("optimi-adan", optimizer_beta1=0.5)).optimizer.param_groups
    assert (adan["beta1"], adan["beta2"], adan["beta3"]) == (0.5, 0.92, 0.99)


def test_setting_that_the_optimizer_does_not_have_is_named_with_those_it_has() -> None:
    with pytest.raises(TrainingError, match=r"momentun is, which torch-sgd does not have; it has .*momentum"):
        check_optimizer(config_of("torch-sgd", optimizer_config="momentun=0.9"), CPU)


@pytest.mark.parametrize(
    ("name", "written"),
    [("prodigy", "d0=-1"), ("optimi-adamw", "eps=small"), ("torch-sgd", "momentum=-1")],
)
def test_setting_with_a_wrong_value_is_refused_before_anything_is_loaded(name: str, written: str) -> None:
    with pytest.raises(TrainingError, match=f"{name} does not take these settings"):
        check_optimizer(config_of(name, optimizer_config=written), CPU)


@pytest.mark.parametrize("written", ["amsgrad", "a=1,a=2", "=3", "1a=3", "key="])
def test_settings_that_are_not_written_as_keys_and_values_are_refused(written: str) -> None:
    with pytest.raises(InvalidInput, match="optimizer_config"):
        config_of("torch-adamw", optimizer_config=written)


def test_optimizer_for_gpus_is_refused_without_one() -> None:
    with pytest.raises(TrainingError, match="optimizer is bnb-adamw8bit, which is for GPUs"):
        check_optimizer(config_of("bnb-adamw8bit"), CPU)


def test_prodigy_tells_the_rate_it_has_found_and_keeps_it_when_told_to_stop() -> None:
    adapting, stopped = (
        Run(config_of("prodigy", learning_rate=1.0, lr_scheduler="constant", prodigy_steps=steps))
        for steps in (None, 3)
    )
    found = []
    for _ in range(6):
        adapting.go_on(1)
        stopped.go_on(1)
        found.append(learning_rate_of(stopped.optimizer))
    assert found[0] < found[2]
    assert found[2:] == [found[2]] * 4
    assert learning_rate_of(adapting.optimizer) > found[2]


def test_schedule_free_weights_for_inference_are_the_average_and_go_again() -> None:
    """By the algorithm's first step, x_1 = z_1 = x_0 - lr · sign(g), and y lies between them."""
    run = Run(config_of("adamw_schedulefree", adam_weight_decay=0))
    run.go_on(2)
    trained = [each.detach().clone() for each in run.parameters]
    states = run.optimizer.optimizer.state
    with weights_for_inference(run.optimizer, run.parameters):
        for parameter, y in zip(run.parameters, trained, strict=True):
            average = (y - 0.1 * states[parameter]["z"]) / 0.9
            torch.testing.assert_close(parameter.data, average)
    assert all(torch.equal(now, y) for now, y in zip(run.parameters, trained, strict=True))


def test_bf16_rounding_stays_between_neighbours_and_is_right_on_average() -> None:
    lower, upper = torch.tensor([1.0, 1.0078125])
    exact = torch.full((40_000,), float(lower + 0.25 * (upper - lower)))
    rounded = round_by_chance(exact, torch.Generator().manual_seed(0)).float()
    assert set(rounded.tolist()) == {float(lower), float(upper)}
    share = (rounded == upper).float().mean().item()
    assert share == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 40_000))
    kept = torch.tensor([0.0, -0.0, 1.5, -2.0, math.inf, 2.0**-126])
    assert torch.equal(round_by_chance(kept, torch.Generator().manual_seed(0)).float(), kept)


def test_adamw_bf16_equals_adamw_where_nothing_is_rounded() -> None:
    torch.manual_seed(0)
    ours, theirs = Parameter(torch.randn(50)), None
    theirs = Parameter(ours.detach().clone())
    made = [AdamWBf16([ours], lr=0.1, weight_decay=0.1), torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.1)]
    for _ in range(5):
        ours.grad = torch.randn(50)
        theirs.grad = ours.grad.clone()
        for optimizer in made:
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


def test_adamw_bf16_keeps_updates_that_rounding_to_the_nearest_would_lose() -> None:
    weights = Parameter(torch.ones(4000, dtype=torch.bfloat16))
    optimizer = AdamWBf16([weights], lr=1e-4, weight_decay=0)
    for _ in range(20):
        weights.grad = torch.ones_like(weights)
        optimizer.step()
    assert weights.float().mean().item() == pytest.approx(1 - 20 * 1e-4, abs=3e-4)


@pytest.mark.parametrize(("precision", "added"), [("fp32", 256 * 1e-3), (None, 0.0)])
def test_gradients_of_weights_in_bf16_are_added_up_in_the_format_that_is_asked_for(
    precision: str | None, added: float
) -> None:
    """In bf16 the neighbours of 1 are 2^-7 away, so that adding 0.001 changes nothing."""
    weights = [Parameter(torch.ones(4))]
    hold_for_optimizer(config_of("adamw_bf16", gradient_precision=precision), weights, torch.bfloat16)
    (weights[0] * 1.0).sum().backward()  # type: ignore[no-untyped-call]
    for _ in range(256):
        (weights[0].float() * 1e-3).sum().backward()  # type: ignore[no-untyped-call]
    assert weights[0].grad is not None
    assert weights[0].grad[0].item() == pytest.approx(1 + added, rel=1e-3)


def test_gradients_in_another_format_cannot_be_exchanged() -> None:
    with pytest.raises(InvalidInput, match="gradient_precision is fp32 but num_processes is 2"):
        config_of("adamw_bf16", gradient_precision="fp32", num_processes=2)
