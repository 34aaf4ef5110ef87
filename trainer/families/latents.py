"""From pixels to the latents that a denoiser takes, by the autoencoders of the families."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pixel_unshuffle


@torch.no_grad()
def encode_scaled(vae: Any, pixels: Tensor) -> Tensor:
    """The mode of an AutoencoderKL's posterior, shifted and scaled as its configuration says, in fp32.

    pixels: (batch, 3, height, width) from -1 to 1. Returns (batch, channels, height/8, width/8).
    """
    latents: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode()
    shift: float = vae.config.shift_factor or 0.0
    scale: float = vae.config.scaling_factor
    return (latents.float() - shift) * scale


def encode_upcast(vae: Any, pixels: Tensor) -> Tensor:
    """As encode_scaled, in fp32 where the autoencoder asks for it: that of SDXL overflows in fp16."""
    if not vae.config.force_upcast:
        return encode_scaled(vae, pixels)
    dtype = vae.dtype
    vae.to(torch.float32)
    latents = encode_scaled(vae, pixels)
    vae.to(dtype)
    return latents


def encode_frame(vae: Any, pixels: Tensor) -> Tensor:
    """One frame of a video autoencoder, normalised as encode_frames does it, in fp32.

    pixels: (batch, 3, height, width) from -1 to 1. Returns (batch, channels, height/8, width/8).
    """
    return encode_frames(vae, pixels.unsqueeze(2)).squeeze(2)


@torch.no_grad()
def encode_frames(vae: Any, pixels: Tensor) -> Tensor:
    """Videos by the autoencoder of Wan, normalised channel by channel as its configuration says, in fp32.

    pixels: (batch, 3, frames, height, width) from -1 to 1. Returns (batch, channels, latent frames, height/8, width/8).
    """
    latents: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode().float()
    mean, std = (
        torch.tensor(each, device=latents.device).view(1, -1, 1, 1, 1)
        for each in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (latents - mean) / std


@torch.no_grad()
def encode_patches(vae: Any, pixels: Tensor, *, eps: float | None = None) -> Tensor:
    """The mode of FLUX.2's autoencoder, squares of 2 x 2 as one, normalised by its batch norm, in fp32.

    eps: what is added to its variance, where a family takes something else than its configuration says.

    pixels: (batch, 3, height, width) from -1 to 1. Returns (batch, 4 channels, height/16, width/16).
    """
    latents: Tensor = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist.mode().float()
    mean, variance = (each.float().view(1, -1, 1, 1) for each in (vae.bn.running_mean, vae.bn.running_var))
    patches: Tensor = (pixel_unshuffle(latents, 2) - mean) / torch.sqrt(variance + (eps or vae.config.batch_norm_eps))
    return patches
