"""Stable Diffusion 1.x: UNet, one CLIP text encoder, epsilon prediction in the published weights."""

from domain.families.family import Family, Flavour

SD1X = Family(
    key="sd1x",
    name="Stable Diffusion 1.x",
    modality="image",
    flavours=(
        Flavour("1.5", "Stable Diffusion 1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5"),
        Flavour("1.4", "Stable Diffusion 1.4", "CompVis/stable-diffusion-v1-4"),
        Flavour("dreamshaper", "DreamShaper 8", "Lykon/dreamshaper-8"),
    ),
    default_flavour="dreamshaper",
    default_resolution=512,
    alignment=8,
    capabilities=("lora",),
)
