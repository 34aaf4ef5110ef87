"""What is counted of validations before a start is what the trainer makes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from domain.config.training import TrainingConfig
from domain.config.validation_times import bytes_of_pictures, num_pictures, num_validations
from tests.trainer.test_what_trains import in_this_process
from trainer.circle import Circle
from trainer.inbox import SilentInbox
from trainer.journal import SilentJournal
from trainer.validation import Validation

TWO = {"model_family": "sd1x", "user_prompt_library": {"a": "a cat", "b": "a dog"}}


def made(config: TrainingConfig, folder: Path, *, total_steps: int, steps_per_epoch: int) -> int:
    """As trainer/loop.py asks it."""
    with in_this_process():
        validation = Validation(
            config,
            run_dir=folder,
            sizes=[],
            num_frames=1,
            steps_per_epoch=steps_per_epoch,
            start_step=0,
            journal=SilentJournal(),
            inbox=SilentInbox(),
            circle=Circle(Accelerator(cpu=True), is_whole=False),
            device=torch.device("cpu"),
        )
    between = sum(validation.is_due(step) for step in range(1, total_steps))
    return validation.is_due_at_start(0) + between + 1


@pytest.mark.parametrize(
    "options",
    [
        {"validation_step_interval": 7},
        {"validation_step_interval": 10, "validation_epoch_interval": 3},
        {"validation_step_interval": 1000, "validation_epoch_interval": 1, "disable_benchmark": True},
        {"validation_step_interval": 5, "validate_after_step": 23},
        {"validation_step_interval": 4, "validate_after_epoch": 3, "validation_epoch_interval": 2},
        {"validation_step_interval": 1, "validation_on_startup": True, "disable_benchmark": True},
    ],
)
def test_number_of_validations_is_that_of_the_trainer(options: dict[str, Any], tmp_path: Path) -> None:
    config = TrainingConfig.model_validate(TWO | options)
    counted = num_validations(config, total_steps=61, steps_per_epoch=6)
    assert counted == made(config, tmp_path, total_steps=61, steps_per_epoch=6)


def test_pictures_are_by_prompt_seed_and_size() -> None:
    config = TrainingConfig.model_validate(TWO | {"num_validation_images": 3, "validation_resolution": "64,128x64"})
    assert num_pictures(config) == 2 * 3 * 2
    assert bytes_of_pictures(config, pixels=1) == (64 * 64 + 128 * 64) * 2 * 2 * 3
    small = config.model_copy(update={"validation_image_format": "webp", "validation_resolution": None})
    assert bytes_of_pictures(small, pixels=100) == 30 * 2 * 3


@pytest.mark.parametrize("options", [{"validation_disable": True}, {"user_prompt_library": {}}])
def test_nothing_is_drawn_without_prompts(options: dict[str, Any]) -> None:
    config = TrainingConfig.model_validate(TWO | options)
    assert num_validations(config, total_steps=100, steps_per_epoch=10) == 0
