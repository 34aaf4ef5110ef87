"""Adapters that begin as a part of the base weights: PiSSA (Meng et al. 2024, arXiv:2404.02948) and OLoRA (Büyükakyüz 2024,
arXiv:2406.01775).

Both take that part out of the base weights. Here these stay as they are: the part is subtracted by a second adapter,
which is not trained and is one with the first, so that files hold an ordinary adapter of twice the rank.
"""

from collections.abc import Callable, Mapping

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import Parameter, functional

from trainer.errors import TrainingError
from trainer.trained.beginning import ADAPTER

ITERATIONS, SPARE = 16, 8
"""Of the power method that finds the largest singular values (Halko et al. 2011, arXiv:0909.4061): as often as the
authors of PiSSA, and how many more are looked for, so that the last ones are right."""


class Counterweighted(nn.Module):
    """A matrix of an adapter: what is trained, and along a dimension beside it what is not."""

    fixed: Tensor

    def __init__(self, weight: Tensor, fixed: Tensor, *, dim: int) -> None:
        super().__init__()
        self.weight = Parameter(weight)
        self.register_buffer("fixed", fixed, persistent=False)
        self._dim = dim

    def forward(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.whole())

    def whole(self) -> Tensor:
        return torch.cat([self.weight, self.fixed.to(self.weight.dtype)], dim=self._dim)

    def halves(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        first, second = whole.chunk(2, dim=self._dim)
        return first, second


def whole(matrix: nn.Module) -> Tensor:
    """Of an adapter, with or without a counterweight."""
    if isinstance(matrix, Counterweighted):
        return matrix.whole()
    weight: Tensor = matrix.weight  # type: ignore[assignment]
    return weight


@torch.no_grad()
def counterweigh(network: nn.Module, kind: str, *, device: torch.device) -> None:
    """Let the adapters of a network, which have twice the rank that is to be trained, begin as parts of the base weights.

    kind: pissa or olora. device: what computes, wherever the weights are. Raises TrainingError for layers that have no
    matrix, or too small a one.
    """
    for name, layer in network.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        base, rank, scale = layer.get_base_layer(), layer.r[ADAPTER] // 2, layer.scaling[ADAPTER]
        if not isinstance(base, nn.Linear):
            raise TrainingError(
                f"lora_init_type is {kind}, which is for linear layers, but {name} is a {type(base).__name__}; set it to "
                "default, or leave that layer out of peft_lora_target_modules"
            )
        if rank > min(base.weight.shape):
            raise TrainingError(
                f"lora_init_type is {kind}, but {name} has no more than {min(base.weight.shape)} directions to begin with; "
                f"set lora_rank to that or less, or lora_init_type to default"
            )
        parts = PARTS[kind](base.weight.to(device, torch.float32), rank, scale)
        down, up = (part.to(base.weight.device) for part in parts)
        layer.lora_A[ADAPTER] = Counterweighted(down, down.clone(), dim=0)
        layer.lora_B[ADAPTER] = Counterweighted(up, -up, dim=1)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Of its adapters, by peft's names, with what is not trained."""
    weights: dict[str, Tensor] = get_peft_model_state_dict(network)
    return weights | {key: matrix.whole() for key, matrix in _counterweighted(network).items()}


def set_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put back what weights_of gave. Raises RuntimeError when it is of another size."""
    halves = dict(weights)
    for key, matrix in _counterweighted(network).items():
        halves[key], fixed = matrix.halves(weights[key])
        matrix.fixed.copy_(fixed)
    set_peft_model_state_dict(network, halves)


def fixed_in(network: nn.Module) -> list[Tensor]:
    return [matrix.fixed for matrix in _counterweighted(network).values()]


def _counterweighted(network: nn.Module) -> dict[str, Counterweighted]:
    """By peft's names of their weights."""
    return {
        f"{name.removesuffix(f'.{ADAPTER}')}.weight": module
        for name, module in network.named_modules()
        if isinstance(module, Counterweighted)
    }


def _principal(weight: Tensor, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """The part with the largest singular values, split evenly."""
    left, sizes, right = torch.svd_lowrank(weight, q=min(rank + SPARE, *weight.shape), niter=ITERATIONS)
    sizes = (sizes[:rank] / scale).sqrt()
    return sizes.unsqueeze(1) * right[:, :rank].T, left[:, :rank] * sizes


def _orthonormal(weight: Tensor, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """The part in the directions of the first columns, as often as the adapter counts."""
    directions, rest = torch.linalg.qr(weight)
    return rest[:rank].clone(), directions[:, :rank].clone()


PARTS: Mapping[str, Callable[[Tensor, int, float], tuple[Tensor, Tensor]]] = {
    "pissa": _principal,
    "olora": _orthonormal,
}
"""Of a weight, rank and scale: two matrices whose product, times the scale, an adapter begins as."""
