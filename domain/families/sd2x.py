"""Stable Diffusion 2.x: as 1.x with an OpenCLIP text encoder and, at 768 pixels, v-prediction."""

from domain.families.family import Family, Flavour

SD2X = Family(
    key="sd2x",
    name="Stable Diffusion 2.x",
    modality="image",
    flavours=(
        Flavour("2.1", "Stable Diffusion 2.1", "stabilityai/stable-diffusion-2-1"),
        Flavour("2.1-base", "Stable Diffusion 2.1 base", "stabilityai/stable-diffusion-2-1-base"),
    ),
    default_flavour="2.1",
    default_resolution=768,
    alignment=8,
    capabilities=("lora",),
)
