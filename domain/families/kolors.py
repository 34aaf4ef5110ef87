"""Kolors: SDXL's UNet with ChatGLM in place of CLIP."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

KOLORS = Family(
    key="kolors",
    name="Kwai Kolors",
    parameters="2.7B",
    objective="epsilon",
    pipeline="KolorsPipeline",
    denoiser="UNet2DConditionModel",
    flavours=(Flavour("1.0", "Kolors 1.0", "terminusresearch/kwai-kolors-1.0"),),
    default_flavour="1.0",
    default_resolution=1024,
    alignment=64,
    # Warnings that speak of 77 tokens come from code for CLIP; ChatGLM reads 256.
    token_limit=TokenLimit(256, 256),
    quantising=Quantising("loses", "As SDXL, whose UNet it is.", refused=("fp8-quanto",)),
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
