"""Each kind of training, with an average, two datasets and an optimizer that remembers much, killed in a random moment and
resumed: nothing is different."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.runs import RunDirectory, write_run
from tests.trainer.small_families import save_small
from tests.trainer.test_what_trains import in_this_process, lycoris, weights_of
from trainer.__main__ import main
from trainer.wire import CheckpointSaved

NUM_STEPS = 16
KINDS: dict[str, dict[str, Any]] = {
    "lora": {
        "lora_dropout": 0.3,
        "use_dora": True,
        "optimizer": "prodigy",
        "learning_rate": 1.0,
        "dataset": {"vae_cache_disable": True, "text_cache_ondemand": True},
        "caption_dropout_probability": 0.3,
        "checkpointing_rolling_steps": 3,
    },
    "lokr": {
        **lycoris(algo="lokr", linear_dim=4, factor=4, rank_dropout=0.2, module_dropout=0.2),
        "optimizer": "soap",
        "gradient_checkpointing": True,
        "dataset": {"is_regularisation_data": True, "probability": 0.5},
    },
    "full": {
        "model_type": "full",
        "optimizer": "adamw_schedulefree",
        "train_batch_size": 1,
        "gradient_accumulation_steps": 2,
        "dataset": {"vae_cache_clear_each_epoch": True, "crop": True, "crop_style": "random"},
    },
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small("sdxl", tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("kind", KINDS)
def test_run_killed_in_a_random_moment_ends_as_if_it_had_not_been(
    kind: str, model: Path, pictures: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    shutil.copytree(pictures, more)
    options: dict[str, Any] = {
        "model_family": "sdxl",
        "pretrained_model_name_or_path": str(model),
        "folder": pictures,
        "more_datasets": [{"id": "more", "instance_data_dir": str(more), "repeats": 1}],
        "max_train_steps": NUM_STEPS,
        "checkpoint_step_interval": 4,
        "use_ema": True,
        "lr_scheduler": "cosine",
        **KINDS[kind],
    }
    uninterrupted = write_run(tmp_path / "uninterrupted", **options)
    killed = write_run(tmp_path / "killed", **options)
    with in_this_process():
        assert main([str(uninterrupted.path)]) == 0
        last_step = random.randint(2, NUM_STEPS // 2)
        process = killed.start()
        killed.wait_for(lambda run: last_step in run.losses(), process)
        process.kill()
        process.communicate()
        assert NUM_STEPS not in killed.losses()
        assert main([str(write_run(killed.path, resume=True, **options).path)]) == 0
    assert_equal(killed, uninterrupted)


def assert_equal(run: RunDirectory, other: RunDirectory) -> None:
    assert run.losses() == other.losses()
    assert [each.step for each in run.of(CheckpointSaved)][-1] == NUM_STEPS
    weights, expected = weights_of(run), weights_of(other)
    assert weights.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(weights[name], expected[name])] == []
