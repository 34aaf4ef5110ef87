"""From pixels to the latents that a denoiser takes, by the autoencoders of the families."""

from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def encode_scaled(vae: Any, pixels: Tensor) -> Tensor:
    """The mode of an AutoencoderKL's posterior, shifted and scaled as its configuration says, in fp32.

    pixels: (batch, 3, height, width) from -1 to 1. Returns (batch, channels, height/8, width/8).
    """
    latents: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    shift: float = vae.config.shift_factor or 0.0
    scale: float = vae.config.scaling_factor
    return (latents.float() - shift) * scale
