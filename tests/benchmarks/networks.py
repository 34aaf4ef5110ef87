"""Denoisers as their publishers configured them: which class, with which arguments, and what goes into it.

Nothing here downloads or holds weights: `build` makes them at random, or makes none at all on the meta device. Needs
torch and diffusers alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import torch
from torch import Tensor, nn

from domain.families.registry import FAMILIES
from tests.benchmarks.published import (
    AURAFLOW,
    CASCADE,
    CASCADE_LITE,
    COSMOS_2B,
    COSMOS_14B,
    FLUX_DEV,
    HIDREAM,
    IF_L,
    IF_M,
    IF_XL,
    KANDINSKY5,
    KLEIN_4B,
    KLEIN_9B,
    KOLORS,
    LONGCAT,
    LUMINA2,
    OMNIGEN,
    PIXART_600M,
    PIXART_900M,
    REFINER,
    SANA15_1600M,
    SANA15_4800M,
    SANA_600M,
    SD1X,
    SD2X,
    SD35_LARGE,
    SD35_MEDIUM,
    SDXL,
    WAN22_I2V_14B,
    WAN_5B,
    WAN_1300M,
    WAN_I2V_14B,
)

Inputs = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """family, flavour: as in domain/families. class_name: in diffusers.

    inputs: from a batch size, the edge in pixels and a number of text tokens to the keyword arguments of one forward
    pass, in the default dtype and device.
    """

    family: str
    flavour: str
    class_name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: Callable[[int, int, int, Mapping[str, Any]], Inputs]

    @property
    def targets(self) -> tuple[str, ...]:
        return FAMILIES[self.family].lora_targets

    def build(self, dtype: torch.dtype) -> nn.Module:
        """On the default device."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            network: nn.Module = getattr(diffusers, self.class_name)(**self.arguments)
        finally:
            torch.set_default_dtype(before)
        return network


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.bfloat16)


def _unet(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    width = arguments.get("encoder_hid_dim") or arguments["cross_attention_dim"]
    inputs: Inputs = {
        "sample": _random(batch, arguments.get("in_channels", 4), edge // 8, edge // 8),
        "timestep": torch.ones(batch),
        "encoder_hidden_states": _random(batch, tokens, width),
    }
    if arguments.get("addition_embed_type") == "text_time":
        num_ids = 5 if arguments["projection_class_embeddings_input_dim"] == 2560 else 6
        ids_width = num_ids * arguments["addition_time_embed_dim"]
        pooled = arguments["projection_class_embeddings_input_dim"] - ids_width
        inputs["added_cond_kwargs"] = {"text_embeds": _random(batch, pooled), "time_ids": torch.ones(batch, num_ids)}
    return inputs


def _pixel_unet(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    inputs: Inputs = {
        "sample": _random(batch, arguments["in_channels"], edge, edge),
        "timestep": torch.ones(batch),
        "encoder_hidden_states": _random(batch, tokens, 4096),
    }
    if arguments.get("class_embed_type") == "timestep":
        inputs["class_labels"] = torch.ones(batch)
    return inputs


def _cascade(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    latent = edge * 24 // 1024
    return {
        "sample": _random(batch, 16, latent, latent),
        "timestep_ratio": torch.ones(batch),
        "clip_text_pooled": _random(batch, 1, 1280),
        "clip_text": _random(batch, tokens, 1280),
        "clip_img": _random(batch, 1, 768),
    }


def _flux(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    patches = (edge // 16) ** 2
    inputs: Inputs = {
        "hidden_states": _random(batch, patches, 64),
        "encoder_hidden_states": _random(batch, tokens, 4096),
        "pooled_projections": _random(batch, 768),
        "timestep": torch.ones(batch),
        "img_ids": torch.zeros(patches, 3),
        "txt_ids": torch.zeros(tokens, 3),
    }
    if arguments.get("guidance_embeds"):
        inputs["guidance"] = torch.ones(batch)
    return inputs


def _flux2(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    patches = (edge // 16) ** 2
    inputs: Inputs = {
        "hidden_states": _random(batch, patches, 128),
        "encoder_hidden_states": _random(batch, tokens, arguments.get("joint_attention_dim", 15360)),
        "timestep": torch.ones(batch),
        "img_ids": torch.zeros(patches, 4),
        "txt_ids": torch.zeros(tokens, 4),
    }
    if arguments.get("guidance_embeds", True):
        inputs["guidance"] = torch.ones(batch)
    return inputs


def _chroma(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    patches = (edge // 16) ** 2
    return {
        "hidden_states": _random(batch, patches, 64),
        "encoder_hidden_states": _random(batch, tokens, 4096),
        "timestep": torch.ones(batch),
        "img_ids": torch.zeros(patches, 3),
        "txt_ids": torch.zeros(tokens, 3),
    }


def _longcat(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    patches = (edge // 16) ** 2
    return {
        "hidden_states": _random(batch, patches, 64),
        "encoder_hidden_states": _random(batch, tokens, 3584),
        "timestep": torch.ones(batch),
        "img_ids": torch.zeros(patches, 3),
        "txt_ids": torch.zeros(tokens, 3),
    }


def _sd3(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 16, edge // 8, edge // 8),
        "encoder_hidden_states": _random(batch, tokens, 4096),
        "pooled_projections": _random(batch, 2048),
        "timestep": torch.ones(batch),
    }


def _z_image(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "x": [_random(16, 1, edge // 8, edge // 8) for _ in range(batch)],
        "t": torch.ones(batch),
        "cap_feats": [_random(tokens, 2560) for _ in range(batch)],
    }


def _qwen_image(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, (edge // 16) ** 2, 64),
        "encoder_hidden_states": _random(batch, tokens, 3584),
        "timestep": torch.ones(batch),
        "img_shapes": [[(1, edge // 16, edge // 16)]] * batch,
    }


def _pixart(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 4, edge // 8, edge // 8),
        "encoder_hidden_states": _random(batch, tokens, 4096),
        "timestep": torch.ones(batch),
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    }


def _sana(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 32, edge // 32, edge // 32),
        "encoder_hidden_states": _random(batch, tokens, 2304),
        "timestep": torch.ones(batch),
    }


def _auraflow(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 4, edge // 8, edge // 8),
        "encoder_hidden_states": _random(batch, tokens, 2048),
        "timestep": torch.ones(batch),
    }


def _lumina2(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 16, edge // 8, edge // 8),
        "encoder_hidden_states": _random(batch, tokens, 2304),
        "encoder_attention_mask": torch.ones(batch, tokens, dtype=torch.int64, device="cpu"),
        "timestep": torch.ones(batch),
    }


def _hidream(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 16, edge // 8, edge // 8),
        "timesteps": torch.ones(batch),
        "encoder_hidden_states_t5": _random(batch, tokens, 4096),
        "encoder_hidden_states_llama3": _random(32, batch, tokens, 4096),
        "pooled_embeds": _random(batch, 2048),
    }


def _cosmos(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 17, 1, edge // 8, edge // 8),
        "encoder_hidden_states": _random(batch, tokens, 1024),
        "timestep": torch.ones(batch),
    }


def _wan(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    channels = arguments.get("in_channels", 16)
    latent = edge // (16 if channels == 48 else 8)
    inputs: Inputs = {
        "hidden_states": _random(batch, channels, 1, latent, latent),
        "timestep": torch.ones(batch),
        "encoder_hidden_states": _random(batch, tokens, 4096),
    }
    if "image_dim" in arguments:
        inputs["encoder_hidden_states_image"] = _random(batch, 257, arguments["image_dim"])
    return inputs


def _ltxvideo(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    latent = edge // 32
    return {
        "hidden_states": _random(batch, latent**2, 128),
        "encoder_hidden_states": _random(batch, tokens, 4096),
        "timestep": torch.ones(batch),
        "encoder_attention_mask": torch.ones(batch, tokens),
        "num_frames": 1,
        "height": latent,
        "width": latent,
        "rope_interpolation_scale": (8 / 25, 32, 32),
    }


def _ernie(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    return {
        "hidden_states": _random(batch, 128, edge // 16, edge // 16),
        "timestep": torch.ones(batch),
        "text_bth": _random(batch, tokens, arguments.get("text_in_dim", 2560)),
        "text_lens": torch.full((batch,), tokens),
    }


def _kandinsky5(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    side = torch.arange(edge // 16)
    return {
        "hidden_states": _random(batch, 1, edge // 8, edge // 8, 16),
        "encoder_hidden_states": _random(batch, tokens, 3584),
        "pooled_projections": _random(batch, 768),
        "timestep": torch.ones(batch),
        "visual_rope_pos": [torch.arange(1), side, side],
        "text_rope_pos": torch.arange(tokens),
    }


def _krea2(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    patches = (edge // 16) ** 2
    return {
        "hidden_states": _random(batch, patches, 64),
        "encoder_hidden_states": _random(batch, tokens, 12, 2560),
        "timestep": torch.ones(batch),
        "position_ids": torch.zeros(tokens + patches, 3),
    }


def _ideogram(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    length = (edge // 16) ** 2 + tokens
    return {
        "hidden_states": _random(batch, length, 128),
        "timestep": torch.ones(batch),
        "encoder_hidden_states": _random(batch, length, 53248),
        "position_ids": torch.zeros(batch, length, 3, dtype=torch.long),
        "segment_ids": torch.zeros(batch, length, dtype=torch.long),
        "indicator": torch.zeros(batch, length, dtype=torch.long),
    }


def _omnigen(batch: int, edge: int, tokens: int, arguments: Mapping[str, Any]) -> Inputs:
    length = (edge // 16) ** 2 + tokens + 1
    return {
        "hidden_states": _random(batch, 4, edge // 8, edge // 8),
        "timestep": torch.ones(batch),
        "input_ids": torch.zeros(batch, tokens, dtype=torch.long),
        "input_img_latents": [],
        "input_image_sizes": {},
        "attention_mask": torch.ones(batch, length, length, dtype=torch.bool),
        "position_ids": torch.zeros(batch, length, dtype=torch.long),
    }


NETWORKS = tuple(
    Network(family=family, flavour=flavour, class_name=class_name, arguments=arguments, inputs=inputs)
    for family, flavour, class_name, arguments, inputs in (
        ("sd1x", "1.5", "UNet2DConditionModel", SD1X, _unet),
        ("sd2x", "2.1", "UNet2DConditionModel", SD2X, _unet),
        ("sdxl", "base-1.0", "UNet2DConditionModel", SDXL, _unet),
        ("sdxl", "refiner-1.0", "UNet2DConditionModel", REFINER, _unet),
        ("kolors", "1.0", "UNet2DConditionModel", KOLORS, _unet),
        ("flux", "dev", "FluxTransformer2DModel", FLUX_DEV, _flux),
        ("flux", "schnell", "FluxTransformer2DModel", {}, _flux),
        ("flux2", "dev", "Flux2Transformer2DModel", {}, _flux2),
        ("flux2", "klein-4b", "Flux2Transformer2DModel", KLEIN_4B, _flux2),
        ("flux2", "klein-9b", "Flux2Transformer2DModel", KLEIN_9B, _flux2),
        ("sd3", "medium", "SD3Transformer2DModel", SD35_MEDIUM, _sd3),
        ("sd3", "large", "SD3Transformer2DModel", SD35_LARGE, _sd3),
        ("chroma", "base", "ChromaTransformer2DModel", {}, _chroma),
        ("z_image", "base", "ZImageTransformer2DModel", {}, _z_image),
        ("qwen_image", "v1.0", "QwenImageTransformer2DModel", {}, _qwen_image),
        ("pixart", "600M-1024", "PixArtTransformer2DModel", PIXART_600M, _pixart),
        ("pixart", "900M-1024-v0.6", "PixArtTransformer2DModel", PIXART_900M, _pixart),
        ("sana", "sana1.0-600m-1024", "SanaTransformer2DModel", SANA_600M, _sana),
        ("sana", "sana1.0-1.6b-1024", "SanaTransformer2DModel", {}, _sana),
        ("sana", "sana1.5-1.6b-1024", "SanaTransformer2DModel", SANA15_1600M, _sana),
        ("sana", "sana1.5-4.8b-1024", "SanaTransformer2DModel", SANA15_4800M, _sana),
        ("auraflow", "v0.3", "AuraFlowTransformer2DModel", AURAFLOW, _auraflow),
        ("lumina2", "2.0", "Lumina2Transformer2DModel", LUMINA2, _lumina2),
        ("hidream", "full", "HiDreamImageTransformer2DModel", HIDREAM, _hidream),
        ("cosmos", "2b", "CosmosTransformer3DModel", COSMOS_2B, _cosmos),
        ("cosmos", "14b", "CosmosTransformer3DModel", COSMOS_14B, _cosmos),
        ("wan", "t2v-480p-1.3b-2.1", "WanTransformer3DModel", WAN_1300M, _wan),
        ("wan", "t2v-480p-14b-2.1", "WanTransformer3DModel", {}, _wan),
        ("wan", "ti2v-5b-2.2", "WanTransformer3DModel", WAN_5B, _wan),
        ("wan", "i2v-14b-2.1", "WanTransformer3DModel", WAN_I2V_14B, _wan),
        ("wan", "i2v-14b-2.2-high", "WanTransformer3DModel", WAN22_I2V_14B, _wan),
        ("ltxvideo", "0.9.5", "LTXVideoTransformer3DModel", {}, _ltxvideo),
        ("deepfloyd", "i-medium-400m", "UNet2DConditionModel", IF_M, _pixel_unet),
        ("deepfloyd", "i-large-900m", "UNet2DConditionModel", IF_L, _pixel_unet),
        ("deepfloyd", "i-xlarge-4.3b", "UNet2DConditionModel", IF_XL, _pixel_unet),
        ("ernie", "base", "ErnieImageTransformer2DModel", {}, _ernie),
        ("ideogram", "fp8", "Ideogram4Transformer2DModel", {}, _ideogram),
        ("kandinsky5_image", "t2i-lite-sft", "Kandinsky5Transformer3DModel", KANDINSKY5, _kandinsky5),
        ("krea2", "raw", "Krea2Transformer2DModel", {}, _krea2),
        ("longcat_image", "final", "LongCatImageTransformer2DModel", LONGCAT, _longcat),
        ("omnigen", "v1", "OmniGenTransformer2DModel", OMNIGEN, _omnigen),
        ("stable_cascade", "stage-c", "StableCascadeUNet", CASCADE, _cascade),
        ("stable_cascade", "stage-c-lite", "StableCascadeUNet", CASCADE_LITE, _cascade),
    )
)


def network_of(family: str, flavour: str) -> Network:
    return next(each for each in NETWORKS if (each.family, each.flavour) == (family, flavour))
