"""What domain/families/denoisers.py and components.py say of networks, worked out from their classes.

    python -m tests.benchmarks.facts [--cuda] [FAMILY ...]

Prints a line of JSON for each network, minutes for all of them; nothing is downloaded and no GPU is needed. With --cuda,
the costs of steps are measured on one: of networks that look at their own numbers, and cannot be traced without any.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from torch.utils._pytree import tree_map

from tests.benchmarks.networks import NETWORKS, Network
from tests.benchmarks.tracing import enable_checkpointing, peak_of_training

HALF = torch.bfloat16
TOKENS = (128, 256)
RANK = 16
SMALLEST_BLOCK = 0.004
BYTES_OF_MASK = 4
"""Of dropout on the meta device, for each number; on a GPU it is one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes for each pixel and each text token of a picture, and once for all pictures."""

    pixel: float
    token: float
    once: float


def prepared(network: Network, *, lora: bool, checkpointing: bool, dropout: float = 0.0) -> nn.Module:
    """Without weights, on the meta device."""
    with torch.device("meta"):
        module = network.build(HALF)
        if lora:
            add_lora(module, network, dropout=dropout)
        if checkpointing:
            enable_checkpointing(module, HALF)
    return module.train()


def add_lora(module: nn.Module, network: Network, *, dropout: float = 0.0, rank: int = RANK) -> None:
    config = LoraConfig(
        r=rank, lora_alpha=rank, lora_dropout=dropout, init_lora_weights=False, target_modules=list(network.targets)
    )
    module.requires_grad_(False)
    inject_adapter_in_model(config, module)
    for name, parameter in module.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)


def adapter_size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def block_lists(module: nn.Module) -> list[list[int]]:
    """[how many, parameters of each] for the lists of blocks that offloading moves one by one; not of small layers."""
    whole = sum(parameter.numel() for parameter in module.parameters())
    lists = [each for each in module.children() if isinstance(each, nn.ModuleList) and len(each) > 1]
    counted = [[len(each), sum(p.numel() for p in each.parameters()) // len(each)] for each in lists]
    return [[count, each] for count, each in counted if each > whole * SMALLEST_BLOCK]


def edges_of(network: Network) -> tuple[int, int]:
    return {"deepfloyd": (64, 32), "sd1x": (768, 512), "sd2x": (768, 512)}.get(network.family, (1024, 512))


def peak(network: Network, *, edge: int, tokens: int, lora: bool, checkpointing: bool, dropout: float = 0.0) -> int:
    module = prepared(network, lora=lora, checkpointing=checkpointing, dropout=dropout)
    with torch.device("meta"):
        inputs = network.inputs(1, edge, tokens, network.arguments)
    return peak_of_training(module, inputs, half=HALF)


def peak_on_device(
    network: Network, *, edge: int, tokens: int, lora: bool, checkpointing: bool, dropout: float = 0.0
) -> int:
    """Of the second step, beside weights and gradients."""
    with torch.device("cuda"):
        module = network.build(HALF).train().to(HALF)
        if lora:
            add_lora(module, network, dropout=dropout)
        inputs = network.inputs(1, edge, tokens, network.arguments)
    inputs = tree_map(lambda each: each.cuda() if isinstance(each, torch.Tensor) else each, inputs)
    if checkpointing:
        module.enable_gradient_checkpointing()  # type: ignore[operator]
    torch.backends.cuda.enable_cudnn_sdp(False)
    for _ in range(2):
        module.zero_grad(set_to_none=True)
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        with torch.autocast("cuda", HALF), torch.device("cuda"):
            out = module(**inputs, return_dict=False)[0]
        nn.functional.mse_loss(out.float(), torch.zeros_like(out).float()).backward()  # type: ignore[no-untyped-call]
    gradients = sum(each.grad.nbytes for each in module.parameters() if each.grad is not None)
    found = torch.cuda.max_memory_allocated() - held - gradients
    del module, inputs, out
    torch.cuda.empty_cache()
    return found


def cost_of(network: Network, *, checkpointing: bool, measure: Callable[..., int] = peak) -> Cost:
    """With a LoRA and no dropout: a plane through the peaks of three steps."""
    edge, smaller = edges_of(network)
    few, many = TOKENS
    peaks = [
        measure(network, edge=at, tokens=tokens, lora=True, checkpointing=checkpointing)
        for at, tokens in ((edge, few), (smaller, few), (edge, many))
    ]
    pixel = (peaks[0] - peaks[1]) / (edge**2 - smaller**2)
    token = (peaks[2] - peaks[0]) / (many - few)
    return Cost(round(pixel, 1), round(token), max(0, round(peaks[0] - pixel * edge**2 - token * few)))


def costs_on_device(network: Network) -> Iterator[tuple[str, Any]]:
    plain = cost_of(network, checkpointing=False, measure=peak_on_device)
    yield "plain", asdict(plain)
    yield "recomputed", asdict(cost_of(network, checkpointing=True, measure=peak_on_device))
    edge, _ = edges_of(network)
    with_dropout = peak_on_device(network, edge=edge, tokens=TOKENS[0], lora=True, checkpointing=False, dropout=0.1)
    without = plain.pixel * edge**2 + plain.token * TOKENS[0] + plain.once
    yield "dropout_pixel", round((with_dropout - without) / edge**2, 1)


def facts_of(network: Network) -> Iterator[tuple[str, Any]]:
    bare = prepared(network, lora=False, checkpointing=False)
    adapted = prepared(network, lora=True, checkpointing=False)
    yield "parameters", sum(parameter.numel() for parameter in bare.parameters())
    yield "linear", sum(each.weight.numel() for each in bare.modules() if isinstance(each, nn.Linear))
    yield "blocks", block_lists(bare)
    yield "lora_width", adapter_size(adapted) // RANK
    edge, _ = edges_of(network)
    pixels = edge**2
    plain, again = cost_of(network, checkpointing=False), cost_of(network, checkpointing=True)
    yield "plain", asdict(plain)
    yield "recomputed", asdict(again)
    at = {"edge": edge, "tokens": TOKENS[0]}
    with_dropout = peak(network, **at, lora=True, checkpointing=False, dropout=0.1)
    without = plain.pixel * pixels + plain.token * TOKENS[0] + plain.once
    yield "dropout_pixel", round((with_dropout - without) / pixels / BYTES_OF_MASK, 1)
    yield "full", round(peak(network, **at, lora=False, checkpointing=False) / without, 3)
    again_without = again.pixel * pixels + again.token * TOKENS[0] + again.once
    yield "full_recomputed", round(peak(network, **at, lora=False, checkpointing=True) / again_without, 3)


def main() -> None:
    warnings.filterwarnings("ignore")
    wanted = [argument for argument in sys.argv[1:] if argument != "--cuda"]
    describe = costs_on_device if "--cuda" in sys.argv else facts_of
    for network in NETWORKS:
        if wanted and network.family not in wanted:
            continue
        facts: dict[str, Any] = {"family": network.family, "flavour": network.flavour}
        try:
            for name, value in describe(network):
                facts[name] = value
        except (RuntimeError, NotImplementedError, AttributeError, TypeError, ValueError, IndexError) as error:
            facts["failed"] = repr(error)[:200]
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
