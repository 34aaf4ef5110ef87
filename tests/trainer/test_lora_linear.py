"""LoRA in fewer passes: the same results and gradients as peft's own."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear
from torch import Tensor, nn

from trainer.trained.lora_linear import LinearInTraining, add_at_once


def with_adapter(**options: Any) -> nn.Sequential:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(24, 40), nn.Linear(40, 16, bias=False))
    network.requires_grad_(False)
    settings = LoraConfig(r=4, lora_alpha=6, target_modules=["0", "1"], init_lora_weights=False, **options)
    inject_adapter_in_model(settings, network)
    return network


def results(network: nn.Module, *, half: bool) -> tuple[Tensor, list[Tensor]]:
    """What comes out, and the gradients of the input and of the adapter."""
    torch.manual_seed(4)
    x = torch.randn(2, 3, 24, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = network(x)
    out.float().square().mean().backward()
    trained = [each for each in network.parameters() if each.requires_grad]
    return out, [each.grad for each in (x, *trained) if each.grad is not None]


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-6), (True, 0.02)])
@pytest.mark.parametrize("options", [{}, {"use_rslora": True}, {"lora_dropout": 0.3}])
def test_trains_as_peft_does(half: bool, tolerance: float, options: dict[str, Any]) -> None:
    peft_s, ours = with_adapter(**options), with_adapter(**options)
    add_at_once(ours)
    expected, gradients = results(peft_s.train(), half=half)
    out, own = results(ours.train(), half=half)
    assert sum(isinstance(each, LinearInTraining) for each in ours.modules()) == 2
    torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)
    assert len(own) == len(gradients) == 5
    for one, other in zip(own, gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("options", [{}, {"use_dora": True}, {"lora_bias": False}])
def test_is_peft_s_own_to_the_bit_where_nothing_is_trained(options: dict[str, Any]) -> None:
    peft_s, ours = with_adapter(**options), with_adapter(**options)
    add_at_once(ours)
    x = torch.randn(5, 24)
    assert torch.equal(ours.eval()(x), peft_s.eval()(x))


def test_a_layer_whose_adapter_is_off_gives_what_the_base_gives() -> None:
    ours = with_adapter()
    add_at_once(ours)
    x = torch.randn(5, 24)
    for layer in ours.train():
        assert isinstance(layer, LinearInTraining)
        layer.enable_adapters(False)
        plain = layer.base_layer(x)
        assert torch.equal(layer(x), plain)
        x = plain


def test_keeps_less_for_the_backward_pass() -> None:
    """In half precision peft keeps a copy of what goes in for each layer, though queries, keys and values share it."""

    def kept_bytes(network: nn.Sequential) -> int:
        sizes: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.nbytes
            return tensor

        x = torch.randn(64, 24).bfloat16()
        held = []
        with (
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16),
        ):
            held += [network[0](x) for _ in range(3)]
        return sum(sizes.values())

    peft_s, ours = with_adapter().bfloat16(), with_adapter().bfloat16()
    for network in (peft_s, ours):
        for each in network.parameters():
            if each.requires_grad:
                each.data = each.data.float()
    assert isinstance(peft_s[0], Linear)
    add_at_once(ours)
    assert kept_bytes(ours) < kept_bytes(peft_s)
