"""Ways to need less memory, as far as the options of today go; each includes what the one before it does.

The numbers are peaks of steps, measured on an H100 with the UNet of Stable Diffusion 1.x at its full size, LoRA of rank
16, bf16, batch size 4: 6.5, 2.9 and 2.1 GB at 512 pixels, 12.4, 4.3 and 2.5 GB at 768. VAE and text encoder lie beside
it, with 0.4 GB.
"""

from typing import Any

from domain.families.family import MemoryPreset

_LIGHT: dict[str, Any] = {"vae_batch_size": 1}
_BALANCED: dict[str, Any] = {**_LIGHT, "gradient_checkpointing": True}
_AGGRESSIVE: dict[str, Any] = {**_BALANCED, "train_batch_size": 1, "gradient_accumulation_steps": 4}

UNET_PRESETS = (
    MemoryPreset(
        "light",
        "Light",
        "Encodes pictures one by one before training starts. Steps stay as fast, and need as much memory.",
        _LIGHT,
    ),
    MemoryPreset(
        "balanced",
        "Balanced",
        "Also computes activations again in the backward pass: at 512 pixels and batch size 4, steps need 2.9 GB instead "
        "of 6.5. They take a third longer, up to twice as long where the GPU was not busy.",
        _BALANCED,
    ),
    MemoryPreset(
        "aggressive",
        "Aggressive",
        "Also takes one picture at a time and adds up four for each update: 2.1 GB at 512 pixels. The effective batch "
        "size of a device becomes 4, whatever it was. By far the slowest.",
        _AGGRESSIVE,
    ),
)
