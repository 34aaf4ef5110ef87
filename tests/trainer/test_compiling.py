"""Compiling changes the speed of a run, and nothing else of it."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tests.trainer.runs import RunDirectory, write_run
from trainer.__main__ import main


def trained(path: Path, **config: Any) -> RunDirectory:
    run = write_run(path, **config)
    assert main([str(path)]) == 0, run.ended()
    return run


def test_compiled_run_has_the_losses_and_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", validation_disable=False)
    compiled = trained(tmp_path / "compiled", validation_disable=False, dynamo_backend="eager")
    assert compiled.losses() == plain.losses()
    file = "pytorch_lora_weights.safetensors"
    before, after = (load_file(run.path / file) for run in (plain, compiled))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
