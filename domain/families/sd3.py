"""Stable Diffusion 3.5: a flow-matching transformer with two CLIP text encoders and T5."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

TERMS = "Stability AI's Community License has to be accepted on the Hub."

SD3 = Family(
    key="sd3",
    name="Stable Diffusion 3.x",
    parameters="2B-8B",
    objective="flow_matching",
    pipeline="StableDiffusion3Pipeline",
    denoiser="SD3Transformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour(
            "medium",
            "Stable Diffusion 3.5 medium",
            "stabilityai/stable-diffusion-3.5-medium",
            weight_bytes=2,
            terms=TERMS,
            modelspec="stable-diffusion-3-5-medium",
        ),
        Flavour(
            "large",
            "Stable Diffusion 3.5 large",
            "stabilityai/stable-diffusion-3.5-large",
            weight_bytes=2,
            terms=TERMS,
            modelspec="stable-diffusion-3-5-large",
        ),
    ),
    default_flavour="medium",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(154, 512),
    quantising=Quantising("suits", "int8, fp8 and nf4 are in use.", refused=("fp8-quanto",)),
    has_comfyui_names=True,
    settings=(drawn_with(7.0),),
    capabilities=("lora", "full"),
)
