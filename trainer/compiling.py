"""The denoiser compiled by torch.compile, whole or block by block."""

import torch
from torch import nn

from domain.config.training import TrainingConfig

SMALL_BLOCKS = frozenset({"ResnetBlock2D"})
"""Blocks of UNets that repeat, too, besides those that diffusers names in _repeated_blocks."""


def compile_denoiser(denoiser: nn.Module, config: TrainingConfig) -> None:
    """In place: names of weights stay. Nothing happens until the first forward pass.

    The backend cudagraphs and the mode reduce-overhead are ours: trainer.passes records whole steps, where torch.compile would
    record each compiled part by itself.
    """
    if config.dynamo_backend in ("no", "cudagraphs"):
        return
    torch._dynamo.config.recompile_limit = 64  # each aspect bucket is a shape of its own
    for module in _parts(denoiser) if config.dynamo_use_regional_compilation else (denoiser,):
        module.compile(
            backend=config.dynamo_backend,
            mode=None if config.dynamo_mode in ("", "reduce-overhead") else config.dynamo_mode,
            fullgraph=config.dynamo_fullgraph,
            dynamic=True if config.dynamo_dynamic else None,
        )


def _parts(denoiser: nn.Module) -> list[nn.Module]:
    """The blocks that repeat; the whole denoiser where nobody says which they are."""
    named = frozenset(getattr(denoiser, "_repeated_blocks", None) or ()) | SMALL_BLOCKS
    return [module for module in denoiser.modules() if type(module).__name__ in named] or [denoiser]
