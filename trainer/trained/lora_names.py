"""What the weights of a LoRA are called in files: as in the networks of diffusers, or as ComfyUI looks for them."""

from collections.abc import Collection, Mapping
from typing import Literal

import torch
from torch import Tensor

LoraFormat = Literal["diffusers", "comfyui"]

DOWN, UP = ".lora_A.weight", ".lora_B.weight"
"""How peft's names of the two matrices of a layer end."""

KOHYA_PREFIXES = {"unet": "lora_unet_"}
"""UNets have names in ComfyUI that kohya's scripts made common."""

OF_CLIP = "text_model."
"""How names of CLIP's layers begin in files, whichever version of transformers has them otherwise in the network."""


def to_file(part: str, weights: Mapping[str, Tensor], *, format: LoraFormat, scale: float) -> dict[str, Tensor]:
    """weights: of a part of the pipeline, by peft's names. scale: how often the adapter counts, which ComfyUI takes from
    an alpha beside each pair of matrices; diffusers has it in the header."""
    named = {_name_in_file(part, key, format=format): value for key, value in weights.items()}
    if format == "comfyui":
        for key, value in weights.items():
            if key.endswith(DOWN):
                layer = _name_in_file(part, key, format=format).removesuffix(DOWN).removesuffix(".lora_down.weight")
                named[f"{layer}.alpha"] = torch.tensor(scale * len(value))
    return named


def from_file(
    part: str, keys: Collection[str], named: Mapping[str, Tensor], *, format: LoraFormat
) -> dict[str, Tensor]:
    """The weights with these of peft's names. Raises KeyError for one that is not there."""
    return {key: named[_name_in_file(part, key, format=format)] for key in keys}


def _name_in_file(part: str, key: str, *, format: LoraFormat) -> str:
    if part.startswith("text_encoder") and not key.startswith(OF_CLIP):
        return f"{part}.{OF_CLIP}{key}"
    if format == "diffusers":
        return f"{part}.{key}"
    prefix = KOHYA_PREFIXES.get(part)
    if prefix is None:
        return f"diffusion_model.{key}"
    is_down = key.endswith(DOWN)
    layer = key.removesuffix(DOWN if is_down else UP).replace(".", "_")
    return f"{prefix}{layer}.lora_{'down' if is_down else 'up'}.weight"
