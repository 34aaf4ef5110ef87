"""Ways to need less memory, as far as the options of today go; each includes what the one before it does."""

from typing import Any

from domain.families.family import MemoryPreset

_LIGHT: dict[str, Any] = {"vae_batch_size": 1}
_BALANCED: dict[str, Any] = {**_LIGHT, "gradient_checkpointing": True}
_AGGRESSIVE: dict[str, Any] = {**_BALANCED, "train_batch_size": 1, "gradient_accumulation_steps": 4}

UNET_PRESETS = (
    MemoryPreset(
        "light",
        "Light",
        "Encodes pictures one by one before training starts. Steps stay as fast, and as large.",
        _LIGHT,
    ),
    MemoryPreset(
        "balanced",
        "Balanced",
        "Also computes activations again in the backward pass, which makes steps about a third slower.",
        _BALANCED,
    ),
    MemoryPreset(
        "aggressive",
        "Aggressive",
        "Also takes one picture at a time and adds up four for each update, so that a device's effective batch size "
        "becomes 4, whatever it was. The slowest of the three.",
        _AGGRESSIVE,
    ),
)
