"""How much there is to download of published weights: an estimate from what the networks count."""

from domain.families.components import AUTOENCODERS, autoencoder_of, image_encoder_of, text_encoders_of
from domain.families.denoisers import denoiser_of
from domain.families.family import Family, Flavour

SHORT_VARIANTS = frozenset({"fp16", "bf16"})
"""Values of the option variant that name files with two bytes for each weight."""


def estimate_download(family: Family, flavour: Flavour, *, variant: str | None) -> int | None:
    """Bytes of denoiser, text encoders and autoencoder; None where a size or a precision is not known."""
    denoiser = denoiser_of(family.key, flavour.key)
    encoders = text_encoders_of(family.key, flavour.key)
    weight_bytes = 2 if variant in SHORT_VARIANTS else flavour.weight_bytes
    if denoiser is None or encoders is None or weight_bytes is None or family.key not in AUTOENCODERS:
        return None
    autoencoder = autoencoder_of(family.key, flavour.key)
    parts = (*encoders, autoencoder, image_encoder_of(family.key, flavour.key))
    others = sum(part.parameters for part in parts if part is not None)
    of_denoiser = weight_bytes if denoiser.stored_bits is None else denoiser.stored_bits / 8
    num_denoisers = 1 if flavour.denoiser_folder is None else 2
    return round(num_denoisers * denoiser.parameters * of_denoiser + others * weight_bytes)
