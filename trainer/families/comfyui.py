"""What ComfyUI calls the layers of a denoiser in files with adapters.

It finds an adapter by the name that a layer has in its own network, and for some families by that of diffusers as well
(ComfyUI's comfy/lora.py, model_lora_keys_unet). Where its network has one weight for what are several layers in diffusers, such as
query, key and value, it takes adapters of each under diffusers' names and adds them to the rows that are theirs; where it
does not, their adapter has to be one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Which adapter in a file is that of a layer, and of which of its parts, from the first rows to the last."""

    name: str
    part: int = 0
    num_parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ComfyNames:
    """layers: patterns of diffusers' names, of the layers that ComfyUI knows.

    prefix: before each name. renamed: patterns of what is called otherwise, and how, one after the other. joined: patterns
    of layers that are one in ComfyUI, with one group that tells them apart, the order of what that can be, and the name.
    by_kohya: names are written as kohya's scripts made common, without dots. text_encoders: their prefixes, by their
    names in the pipeline.
    """

    prefix: str
    layers: Sequence[str]
    renamed: Sequence[tuple[str, str]] = ()
    joined: Sequence[tuple[str, Sequence[str], str]] = ()
    by_kohya: bool = False
    text_encoders: Mapping[str, str] = field(default_factory=dict)

    def place_of(self, layer: str) -> Place | None:
        """None for a layer that ComfyUI has no name for."""
        for pattern, order, name in self.joined:
            found = re.fullmatch(pattern, layer)
            if found is not None:
                return Place(self.prefix + found.expand(name), order.index(found["part"]), len(order))
        if not any(re.fullmatch(pattern, layer) for pattern in self.layers):
            return None
        for pattern, name in self.renamed:
            layer = re.sub(pattern, name, layer)
        return Place(self.prefix + (layer.replace(".", "_") if self.by_kohya else layer))

    def name_in_text_encoder(self, part: str, layer: str) -> str:
        return self.text_encoders[part] + layer.replace(".", "_")

    def problem_of(self, layers: Sequence[str]) -> str | None:
        """Why an adapter of these layers of the denoiser cannot be written; None where it can."""
        joined: dict[str, list[str]] = {}
        for layer in layers:
            place = self.place_of(layer)
            if place is None:
                return f"which has no name for the layer {layer}"
            if place.num_parts > 1:
                joined.setdefault(place.name, []).append(layer)
        for name, parts in joined.items():
            place = self.place_of(parts[0])
            if place is not None and len(parts) < place.num_parts:
                return f"which has {parts[0]} and its neighbours as one layer ({name}), and not all of them are chosen"
        return None


def of_unet(**text_encoders: str) -> ComfyNames:
    return ComfyNames(
        prefix="lora_unet_",
        layers=(
            r"(down_blocks|mid_block|up_blocks)\..+",
            r"(time|add|class)_embedding\.linear_[12]",
            r"conv_(in|out)",
        ),
        by_kohya=True,
        text_encoders=text_encoders,
    )


LIKE_DIFFUSERS = ComfyNames(prefix="diffusion_model.", layers=(".+",))
"""ComfyUI's network has the names of diffusers'."""

LIKE_FLUX = ComfyNames(
    prefix="transformer.",
    layers=(
        r"(single_)?transformer_blocks\..+",
        r"(x|context)_embedder",
        r"norm_out\.linear",
        r"proj_out",
        r"time_text_embed\.(timestep|guidance|text)_embedder\.linear_[12]",
    ),
)
"""ComfyUI knows FLUX, and what was made of it, by the names of diffusers too."""

LIKE_Z_IMAGE = (
    r"(layers|context_refiner|noise_refiner)\.\d+\..+",
    r"all_final_layer\.2-1\.(linear|adaLN_modulation\.1)",
    r"all_x_embedder\.2-1",
    r"cap_embedder\.1",
    r"t_embedder\.mlp\.[02]",
)
"""The layers of Z-Image that ComfyUI knows by the names of diffusers too."""

QUERY_KEY_VALUE = ("q", "k", "v")
