"""Stable Diffusion XL: a UNet with two CLIP text encoders, told the size and the crop of each picture."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

RESEARCH = "Stability AI's research licence has to be accepted on the Hub."
REFINER = "StableDiffusionXLImg2ImgPipeline"
REFINES = "finishes pictures that other weights began"

SDXL = Family(
    key="sdxl",
    name="Stable Diffusion XL",
    parameters="3.5B",
    objective="epsilon",
    pipeline="StableDiffusionXLPipeline",
    denoiser="UNet2DConditionModel",
    flavours=(
        Flavour("base-1.0", "SDXL base 1.0", "stabilityai/stable-diffusion-xl-base-1.0", weight_bytes=4),
        Flavour(
            "refiner-1.0",
            "SDXL refiner 1.0",
            "stabilityai/stable-diffusion-xl-refiner-1.0",
            pipeline=REFINER,
            peculiarity=REFINES,
        ),
        Flavour("base-0.9", "SDXL base 0.9", "stabilityai/stable-diffusion-xl-base-0.9", terms=RESEARCH),
        Flavour(
            "refiner-0.9",
            "SDXL refiner 0.9",
            "stabilityai/stable-diffusion-xl-refiner-0.9",
            pipeline=REFINER,
            terms=RESEARCH,
            peculiarity=REFINES,
        ),
    ),
    default_flavour="base-1.0",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(77, 77),
    quantising=Quantising(
        "loses",
        "UNets of this kind lose detail by int8, and it is small enough without.",
        refused=("fp8-quanto",),
    ),
    modelspec="stable-diffusion-xl-v1-base",
    has_comfyui_names=True,
    diffusers_reads_comfyui=True,
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
