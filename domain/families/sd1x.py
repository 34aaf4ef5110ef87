"""Stable Diffusion 1.x: UNet, one CLIP text encoder, epsilon prediction in the published weights."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit

SD1X = Family(
    key="sd1x",
    name="Stable Diffusion 1.x",
    parameters="0.9B",
    objective="epsilon",
    pipeline="StableDiffusionPipeline",
    denoiser="UNet2DConditionModel",
    # Some lists have a "realvis" here, but that repository holds an SDXL model.
    flavours=(
        Flavour("1.5", "Stable Diffusion 1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5", weight_bytes=4),
        Flavour("1.4", "Stable Diffusion 1.4", "CompVis/stable-diffusion-v1-4", weight_bytes=4),
        Flavour("dreamshaper", "DreamShaper 8", "Lykon/dreamshaper-8"),
    ),
    default_flavour="dreamshaper",
    default_resolution=512,
    alignment=8,
    token_limit=TokenLimit(77, 77),
    quantising=Quantising(
        "loses", "So small that fewer bits save little, and its pictures suffer.", refused=("fp8-quanto",)
    ),
    modelspec="stable-diffusion-v1",
    has_comfyui_names=True,
    diffusers_reads_comfyui=True,
    capabilities=("lora", "full"),
)
