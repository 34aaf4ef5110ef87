"""Compiling changes the speed of a run, and nothing else of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ModelMixin
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.trainer.runs import RunDirectory, write_run
from trainer.__main__ import main
from trainer.recomputing import recompute_blocks


def trained(path: Path, **config: Any) -> RunDirectory:
    run = write_run(path, **config)
    assert main([str(path)]) == 0, run.ended()
    return run


def test_compiled_run_has_the_losses_and_the_weights_of_one_that_is_not(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", validation_disable=False)
    recomputed: dict[str, Any] = {"gradient_checkpointing": True, "gradient_checkpointing_interval": 2}
    compiled = trained(tmp_path / "compiled", validation_disable=False, dynamo_backend="eager", **recomputed)
    assert compiled.losses() == plain.losses()
    file = "pytorch_lora_weights.safetensors"
    before, after = (load_file(run.path / file) for run in (plain, compiled))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


class Blocks(ModelMixin):  # type: ignore[misc]
    """Three layers, which count how often each is computed."""

    _supports_gradient_checkpointing = True

    def __init__(self) -> None:
        super().__init__()
        self.gradient_checkpointing = False
        self._gradient_checkpointing_func: Any = None
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.counts = [0, 0, 0]
        for place, layer in enumerate(self.layers):
            layer.register_forward_pre_hook(lambda *_, place=place: self._count(place))

    def _count(self, place: int) -> None:
        self.counts[place] += 1

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = self._gradient_checkpointing_func(layer, x) if self.gradient_checkpointing else layer(x)
        return x


@pytest.mark.parametrize(("interval", "counts"), [(1, [2, 2, 2]), (2, [2, 1, 2]), (3, [2, 1, 1])])
def test_every_nth_block_is_computed_again(interval: int, counts: list[int]) -> None:
    blocks = Blocks().train()
    recompute_blocks(blocks, interval=interval)
    for _ in range(2):
        blocks.counts = [0, 0, 0]
        blocks(torch.ones(1, 2, requires_grad=True)).sum().backward()
        assert blocks.counts == counts
