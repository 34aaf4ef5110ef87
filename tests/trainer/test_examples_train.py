"""Every example is trained, a few steps each; in place of weights that would have to be downloaded, with the small model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.config.checks import check_dataset, check_startable, check_training, frozen
from domain.families.registry import FAMILIES
from service.examples import list_examples
from tests.trainer.runs import ROOT, SMALL_MODEL, RunDirectory
from tests.trainer.small_families import SMALL, save_small
from trainer.wire import Planned, RunSpec, WeightsSaved, write_run_spec

EXAMPLES = {example.key: example for example in list_examples(ROOT / "examples")}
FEW = {"max_train_steps": 2, "lr_warmup_steps": 0, "train_batch_size": 2, "gradient_accumulation_steps": 1}


def small_weights(family: str, folder: Path) -> dict[str, Any]:
    """Options that put a small model in the place of the published one."""
    small = SMALL.get(family)
    path = save_small(family, folder) if small else SMALL_MODEL
    options = small.options if small else {}
    usual = {"resolution": 64, "validation_disable": True, "mixed_precision": "no", "gradient_checkpointing": False}
    return {"pretrained_model_name_or_path": str(path), **usual, **options}


@pytest.mark.parametrize("key", sorted(EXAMPLES))
def test_example_is_trained(key: str, tmp_path: Path, train_here: Callable[[RunDirectory], int]) -> None:
    example = EXAMPLES[key]
    check_startable(check_training(example.config, before={}))
    written = example.config | small_weights(example.family, tmp_path / "model") | FEW
    config = frozen(check_training(written), written)
    datasets = [
        frozen(check_dataset(entry, before={}), entry) | {"resolution": 64} for entry in example.datasets.values()
    ]
    run = RunDirectory(tmp_path)
    write_run_spec(tmp_path, RunSpec(run_id="run", name=key, config=config, datasets=datasets))
    assert train_here(run) == 0
    assert [plan.total_steps for plan in run.of(Planned)] == [2]
    assert len(run.of(WeightsSaved)) == 1


def test_every_trainable_family_has_an_example() -> None:
    trainable = {key for key, family in FAMILIES.items() if family.capabilities}
    assert {example.family for example in EXAMPLES.values()} == trainable
