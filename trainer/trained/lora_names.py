"""What the weights of a LoRA are called in files: as in the networks of diffusers, or as ComfyUI looks for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.families.comfyui import ComfyNames

DOWN, UP = ".lora_A.weight", ".lora_B.weight"
"""How peft's names of the two matrices of a layer end."""

KOHYA_DOWN, KOHYA_UP = ".lora_down.weight", ".lora_up.weight"

ALPHA = ".alpha"
"""Rank times how often an adapter counts: ComfyUI finds it beside each pair of matrices, diffusers has it in the header."""

OF_CLIP = "text_model."
"""How names of CLIP's layers begin in files, whichever version of transformers has them otherwise in the network."""


@dataclass(frozen=True, slots=True)
class LoraNames:
    """comfyui: what ComfyUI calls the layers; None: the file is one for diffusers."""

    comfyui: ComfyNames | None = None

    def to_file(self, part: str, weights: Mapping[str, Tensor], *, scale: float) -> dict[str, Tensor]:
        """weights: of a part of the pipeline, by peft's names. scale: how often the adapter counts."""
        if self.comfyui is None:
            return {_in_diffusers(part, key): value for key, value in weights.items()}
        down_end, up_end = _ends(self.comfyui)
        named = {}
        for name, layers in _adapters(self.comfyui, part, weights).items():
            down = torch.cat([weights[layer + DOWN] for layer in layers])
            ups = [weights[layer + UP] for layer in layers]
            named[name + down_end] = down
            named[name + up_end] = _as_one(ups)
            named[name + ALPHA] = torch.tensor(scale * len(down))
        return named

    def from_file(self, part: str, named: Mapping[str, Tensor], *, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of a part by peft's names, which like has. Raises KeyError for one that is not there."""
        if self.comfyui is None:
            return {key: named[_in_diffusers(part, key)] for key in like}
        down_end, up_end = _ends(self.comfyui)
        weights = {}
        for name, layers in _adapters(self.comfyui, part, like).items():
            downs = named[name + down_end].chunk(len(layers))
            ups = _of_each(named[name + up_end], [len(like[layer + UP]) for layer in layers])
            for layer, down, up in zip(layers, downs, ups, strict=True):
                weights[layer + DOWN], weights[layer + UP] = down, up
        return weights

    def scales(self, part: str, named: Mapping[str, Tensor], *, like: Mapping[str, Tensor]) -> set[float]:
        """How often the adapters of a part count, of those that say so beside their weights."""
        if self.comfyui is None:
            return set()
        down_end, _ = _ends(self.comfyui)
        names = [name for name in _adapters(self.comfyui, part, like) if name + ALPHA in named]
        return {float(named[name + ALPHA]) / len(named[name + down_end]) for name in names}


def _in_diffusers(part: str, key: str) -> str:
    return f"{part}.{_in_text_encoder(key) if part.startswith('text_encoder') else key}"


def _in_text_encoder(key: str) -> str:
    return key if key.startswith(OF_CLIP) else OF_CLIP + key


def _ends(comfyui: ComfyNames) -> tuple[str, str]:
    return (KOHYA_DOWN, KOHYA_UP) if comfyui.by_kohya else (DOWN, UP)


def _as_one(ups: Sequence[Tensor]) -> Tensor:
    """The second matrix of one adapter that adds to the rows of each layer what its own adds."""
    if len(ups) == 1:
        return ups[0]
    joined: Tensor = torch.block_diag(*ups)  # type: ignore[no-untyped-call]
    return joined


def _of_each(joined: Tensor, num_rows: Sequence[int]) -> list[Tensor]:
    rows = torch.split(joined, list(num_rows)) if len(num_rows) > 1 else (joined,)
    return [own.chunk(len(num_rows), dim=1)[place] for place, own in enumerate(rows)]


def _adapters(comfyui: ComfyNames, part: str, keys: Iterable[str]) -> dict[str, list[str]]:
    """The layers of which each adapter in the file is, in the order of their rows."""
    adapters: dict[str, dict[int, str]] = {}
    for layer in (key.removesuffix(DOWN) for key in keys if key.endswith(DOWN)):
        if part.startswith("text_encoder"):
            name = comfyui.name_in_text_encoder(part, _in_text_encoder(layer))
            adapters[name] = {0: layer}
        else:
            place = comfyui.place_of(layer)
            if place is None:
                raise KeyError(layer)
            adapters.setdefault(place.name, {})[place.part] = layer
    return {name: [layers[place] for place in sorted(layers)] for name, layers in adapters.items()}
