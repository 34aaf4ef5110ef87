"""Where T5 read a caption and where padding, and padding as zeros."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from domain.config.training import TrainingConfig


def read_by_t5(tokenizer: Any, captions: Sequence[str], *, num_tokens: int | None) -> Tensor:
    """(captions, tokens): true where a caption is, filled up as diffusers' pipelines have it read."""
    told = tokenizer(list(captions), padding="max_length", max_length=num_tokens, truncation=True, return_tensors="pt")
    mask: Tensor = told.attention_mask.bool()
    return mask


def padded(embeds: Tensor, mask: Tensor, config: TrainingConfig) -> Tensor:
    """embeds: (captions, tokens, width), as t5_padding wants them; mask: see read_by_t5."""
    if config.t5_padding == "unmodified":
        return embeds
    return torch.where(mask.to(embeds.device).unsqueeze(-1), embeds, 0)
