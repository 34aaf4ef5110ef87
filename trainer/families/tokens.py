"""Captions as tokens, where text encoders are trained: they are encoded anew in each step."""

from collections.abc import Sequence
from typing import Any

from domain.config.training import TrainingConfig
from trainer.families.family import TextEmbeds

TOKENS, TOKENS_2 = "tokens", "tokens_2"


def read_tokens(captions: Sequence[str], **tokenizers: Any) -> list[TextEmbeds]:
    """Of each caption, (tokens,) by the names of the tokenizers: as diffusers' pipelines read them for CLIP, filled up."""
    read = {
        name: tokenizer(
            list(captions),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        for name, tokenizer in tokenizers.items()
    }
    return [{name: ids[place] for name, ids in read.items()} for place in range(len(captions))]


def what_is_read(config: TrainingConfig) -> dict[str, str | int | None]:
    """What tells tokens in the cache from text embeds."""
    return {"read_as": TOKENS} if config.train_text_encoder else {}
