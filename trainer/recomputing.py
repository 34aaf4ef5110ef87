"""Blocks whose activations are computed again in the backward pass instead of being kept (Chen et al. 2016,
arXiv:1604.06174)."""

from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_blocks(denoiser: nn.Module, *, interval: int = 1) -> None:
    """interval: every nth of the blocks that diffusers can compute again, in the order of the forward pass."""
    network: Any = denoiser
    if interval == 1:
        network.enable_gradient_checkpointing()
        return
    places: dict[nn.Module, int] = {}

    def run(block: nn.Module, *args: Any) -> Any:
        place = places.setdefault(block, len(places))
        if place % interval:
            return block(*args)
        return checkpoint(block, *args, use_reentrant=False)

    network.enable_gradient_checkpointing(run)
