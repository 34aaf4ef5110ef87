"""Stable Cascade, stage C: a UNet that draws tiny latents, which two fixed stages turn into a picture."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit

REPOSITORY = "stabilityai/stable-cascade-prior"

STABLE_CASCADE = Family(
    key="stable_cascade",
    name="Stable Cascade (stage C)",
    parameters="1B-3.6B",
    objective="epsilon",
    pipeline="StableCascadePriorPipeline",
    denoiser="StableCascadeUNet",
    flavours=(
        Flavour("stage-c", "Stage C", REPOSITORY),
        # The smaller denoiser lies in a folder of its own in the same repository.
        Flavour("stage-c-lite", "Stage C lite", REPOSITORY),
    ),
    default_flavour="stage-c",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(77, 77),
    quantising=Quantising("refused", "It needs full precision, so there is nothing to quantise."),
    needs_full_precision=True,
)
