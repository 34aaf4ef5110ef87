"""Text encoders and image autoencoders as their publishers configured them, by class; see networks.py for denoisers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import diffusers
import transformers
from torch import nn


@dataclass(frozen=True, slots=True)
class Component:
    """key: as in domain/families/components.py."""

    key: str
    class_name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CLIP_G = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
}
OPENCLIP_H = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16}
CLIP_VISION_H = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
}
T5_XXL = {
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
T5_11B = {"d_model": 1024, "d_kv": 128, "d_ff": 65536, "num_layers": 24, "num_heads": 128}
PILE_T5_XL = {
    "vocab_size": 32128,
    "d_model": 2048,
    "d_kv": 64,
    "d_ff": 5120,
    "num_layers": 24,
    "num_heads": 32,
    "feed_forward_proj": "gated-gelu",
}
UMT5_XXL = {**T5_XXL, "vocab_size": 256384}
GEMMA2_2B: dict[str, Any] = {}
QWEN3_4B = {
    "vocab_size": 151936,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}
QWEN3_8B = {**QWEN3_4B, "hidden_size": 4096, "intermediate_size": 12288, "tie_word_embeddings": False}
LLAMA_31_8B = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
SD_VAE = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
}
FLUX_VAE = {**SD_VAE, "latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}
WAN22_VAE = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
}
DC_AE = {
    "encoder_block_types": ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3,
    "decoder_block_types": ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3,
    "decoder_norm_types": "rms_norm",
    "downsample_block_type": "Conv",
    "upsample_block_type": "interpolate",
}

TEXT_ENCODERS = (
    Component("CLIP_L", "CLIPTextModel", CLIP_L),
    Component("CLIP_G", "CLIPTextModelWithProjection", CLIP_G),
    Component("OPENCLIP_H", "CLIPTextModel", OPENCLIP_H),
    Component("T5_XXL", "T5EncoderModel", T5_XXL),
    Component("T5_11B", "T5EncoderModel", T5_11B),
    Component("UMT5_XXL", "UMT5EncoderModel", UMT5_XXL),
    Component("PILE_T5_XL", "UMT5EncoderModel", PILE_T5_XL),
    Component("GEMMA2_2B", "Gemma2Model", GEMMA2_2B),
    Component("QWEN3_4B", "Qwen3Model", QWEN3_4B),
    Component("QWEN3_8B", "Qwen3ForCausalLM", QWEN3_8B),
    Component("LLAMA_31_8B", "LlamaForCausalLM", LLAMA_31_8B),
)
AUTOENCODERS = (
    Component("SD_VAE", "AutoencoderKL", SD_VAE),
    Component("FLUX_VAE", "AutoencoderKL", FLUX_VAE),
    Component("FLUX2_VAE", "AutoencoderKLFlux2"),
    Component("QWEN_VAE", "AutoencoderKLQwenImage"),
    Component("WAN_VAE", "AutoencoderKLWan"),
    Component("WAN22_VAE", "AutoencoderKLWan", WAN22_VAE),
    Component("LTX_VAE", "AutoencoderKLLTXVideo"),
    Component("DC_AE", "AutoencoderDC", DC_AE),
)


IMAGE_ENCODERS = (Component("CLIP_VISION_H", "CLIPVisionModel", CLIP_VISION_H),)


def build_text_encoder(component: Component) -> nn.Module:
    """On the default device."""
    model: Callable[[Any], nn.Module] = getattr(transformers, component.class_name)
    return model(model.config_class(**component.arguments))  # type: ignore[attr-defined]


def build_autoencoder(component: Component) -> nn.Module:
    """On the default device."""
    autoencoder: nn.Module = getattr(diffusers, component.class_name)(**component.arguments)
    return autoencoder
