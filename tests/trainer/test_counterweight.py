"""Adapters that begin as a part of the base weights, and the counterweights beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainer.small_families import save_small
from tests.trainer.test_comfyui import adapted
from trainer.errors import TrainingError
from trainer.trained.counterweight import PARTS, fixed_in

LAYER = "single_transformer_blocks.0.proj_out"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small("flux", tmp_path_factory.mktemp("flux"))


def largest(weight: Tensor) -> Tensor:
    left, sizes, right = torch.linalg.svd(weight, full_matrices=False)
    part: Tensor = (left[:, :3] * sizes[:3]) @ right[:3]
    return part


def first(weight: Tensor) -> Tensor:
    """What it is in the directions of its first columns, as often as the adapter counts."""
    directions, _ = torch.linalg.qr(weight[:, :3])
    part: Tensor = 2 * directions @ directions.T @ weight
    return part


@pytest.mark.parametrize(("kind", "part"), [("pissa", largest), ("olora", first)])
def test_adapter_begins_as_a_part_of_the_weight(kind: str, part: Callable[[Tensor], Tensor]) -> None:
    """Of one whose singular values fall, as in trained networks."""
    torch.manual_seed(0)
    weight = torch.randn(20, 30) @ torch.diag(0.7 ** torch.arange(30))
    down, up = PARTS[kind](weight, 3, 2.0)
    torch.testing.assert_close(2 * up @ down, part(weight), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", PARTS)
def test_counterweight_takes_away_what_the_adapter_begins_as(kind: str, model: Path) -> None:
    trained = adapted(model, lora_init_type=kind, peft_lora_target_modules=["proj_out"], is_filled=False)
    layer = trained.modules[0].get_submodule(LAYER)
    down, up = layer.lora_A["default"], layer.lora_B["default"]
    assert (up.weight @ down.weight).abs().max() > 0.1
    weight = layer.get_base_layer().weight
    torch.testing.assert_close(up.whole() @ down.whole(), torch.zeros_like(weight), atol=1e-5, rtol=0)
    assert [each.numel() for each in trained.parameters] == [each.numel() for each in fixed_in(trained.modules[0])]
    inputs = torch.randn(2, weight.shape[1])
    torch.testing.assert_close(layer.train()(inputs), layer.get_base_layer()(inputs), atol=1e-5, rtol=1e-5)


def test_counterweights_take_the_memory_that_is_estimated(model: Path) -> None:
    """32 bits for each trained weight, and for the pass backward a matrix of both, which autocast makes of 16."""
    trained = adapted(model, lora_init_type="pissa", peft_lora_target_modules=["proj_out"], is_filled=False)
    layer = trained.modules[0].get_submodule(LAYER).train()
    fixed, weights = fixed_in(layer), [each for each in layer.parameters() if each.requires_grad]
    num_trained = sum(each.numel() for each in weights)
    assert sum(each.nbytes for each in fixed) == 4 * num_trained
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor
        return tensor

    inputs = torch.randn(2, layer.get_base_layer().weight.shape[1], requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda each: each), torch.autocast("cpu", torch.bfloat16):
        layer(inputs)
    joined = [each for each in kept.values() if sorted(each.shape) in [sorted(part) for part in whole_shapes(layer)]]
    assert sum(each.nbytes for each in joined) == 2 * num_trained * 2


def whole_shapes(layer: Any) -> list[torch.Size]:
    return [part["default"].whole().shape for part in (layer.lora_A, layer.lora_B)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lora_rank": 33}, "has no more than 32 directions to begin with; set lora_rank to that"),
        ({"peft_lora_target_modules": ["pos_embed.proj"]}, "pos_embed.proj is a Conv2d; set it to default"),
    ],
)
def test_layer_that_has_no_such_part_is_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=said):
        adapted(save_small("sd3", tmp_path), "sd3", lora_init_type="pissa", lora_format="diffusers", **options)
