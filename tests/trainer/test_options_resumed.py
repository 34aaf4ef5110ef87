"""Whole runs with options that change what is learned: from the checkpoint in its middle each ends as it did before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.trainer.runs import INK, RunDirectory, write_run

STEPS = {"max_train_steps": 4, "checkpoint_step_interval": 2}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "schedule-free": {
        "optimizer": "adamw_schedulefree",
        "validation_disable": False,
        "validation_prompt": "a fox",
        "validation_step_interval": 3,
    },
    "other loss and noise": {
        "loss_type": "smooth_l1",
        "snr_gamma": 5.0,
        "use_soft_min_snr": True,
        "offset_noise": True,
        "input_perturbation": 0.1,
        "input_perturbation_steps": 3,
        "disable_segmented_timestep_sampling": False,
        "timestep_bias_strategy": "later",
        "timestep_bias_multiplier": 3.0,
        "rescale_betas_zero_snr": True,
        "dataset": {"timestep_sampling_offset": 0.5},
    },
    "known pictures": {
        "dataset": {"is_regularisation_data": True},
        "more_datasets": [{"id": "new", "instance_data_dir": str(INK)}],
    },
    "clipped by value": {"grad_clip_method": "value", "max_grad_norm": 1e-4},
}


End = tuple[dict[int, float], dict[str, list[float]]]
"""Losses by step, and weights by name."""


def end_of(run: RunDirectory) -> End:
    assert run.ended().outcome == "finished"
    weights = load_file(run.path / "pytorch_lora_weights.safetensors")
    return run.losses(), {name: tensor.flatten().tolist() for name, tensor in weights.items()}


@pytest.fixture(scope="module")
def ends() -> dict[str, End]:
    """How each run ended, to see that they differ."""
    return {}


@pytest.mark.parametrize("name", OPTIONS)
def test_run_resumed_from_its_middle_ends_the_same(
    name: str,
    tmp_path: Path,
    pictures: Path,
    train_here: Callable[[RunDirectory], int],
    ends: dict[str, End],
) -> None:
    options = {"folder": pictures, **STEPS, **OPTIONS[name]}
    run = write_run(tmp_path / "run", **options)
    assert train_here(run) == 0
    ended = end_of(run)
    again = write_run(tmp_path / "run", resume=True, resume_from_checkpoint="checkpoint-2", **options)
    assert train_here(again) == 0
    assert end_of(again) == ended
    assert ended[1] not in [weights for _, weights in ends.values()]
    ends[name] = ended
