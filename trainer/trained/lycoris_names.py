"""What ComfyUI calls the layers of a LyCORIS adapter, and what of one it does not compute as LyCORIS does."""

from collections.abc import Iterator
from typing import Any

import torch
from lycoris import LycorisNetwork
from lycoris.modules.boft import ButterflyOFTModule
from lycoris.modules.diag_oft import DiagOFTModule
from torch import Tensor, nn

from domain.config.lycoris import misreading_by_comfyui
from trainer.errors import TrainingError
from trainer.families.family import ModelFamily

ALPHA = ".alpha"
OFT = DiagOFTModule | ButterflyOFTModule

SWAPPED = ("norm_out.linear", "norm1_context.linear")
"""How names of layers end whose halves some families have the other way round in ComfyUI, which swaps what is added, but not
what is turned."""


def comfy_names_of(network: LycorisNetwork, family: ModelFamily) -> dict[str, str]:
    """By LyCORIS' names of layers. Raises TrainingError for what ComfyUI would not find, or read as something else."""
    layers = {id(layer): name for name, layer in family.denoiser.named_modules()}
    names = {}
    for adapter in network.loras:
        layer = layers[id(adapter.org_module[0])]
        place = family.comfy_names.place_of(layer) if family.comfy_names is not None else None
        problem: str | None
        if place is None:
            problem = f"which has no name for the layer {layer}"
        elif place.num_parts > 1:
            problem = f"which has {layer} and its neighbours as one layer ({place.name})"
        elif isinstance(adapter, OFT) and layer.endswith(SWAPPED):
            problem = f"which may have the halves of {layer} the other way round"
        else:
            problem = misreading_by_comfyui(_settings_of(adapter))
        if problem is None and place is not None:
            names[adapter.lora_name] = place.name
            continue
        raise TrainingError(f"lora_format is comfyui, {problem}; set it to diffusers, or change lycoris_config")
    return names


def _settings_of(adapter: nn.Module) -> dict[str, Any]:
    """As lycoris_config says them, of what ComfyUI may misread."""
    algorithm = "diag-oft" if isinstance(adapter, DiagOFTModule) else "boft" if isinstance(adapter, OFT) else "lora"
    return {
        "algo": algorithm,
        "dora_wd": getattr(adapter, "wd", False),
        "rescaled": getattr(adapter, "rescaled", False),
    }


def bounds_of(network: LycorisNetwork) -> Iterator[tuple[str, Tensor]]:
    """By LyCORIS' names of layers: how far orthogonal adapters may turn, which LyCORIS multiplies by the number of rows
    when it reads it, and ComfyUI not."""
    for adapter in network.loras:
        if isinstance(adapter, OFT):
            yield adapter.lora_name, torch.tensor(float(adapter.constraint))
