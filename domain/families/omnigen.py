"""OmniGen: one language model that reads the caption and makes the picture, by flow matching."""

from domain.families.family import Family, Flavour, Quantising

# Its transformer takes no adapter by diffusers' own method: LoRAs go through peft alone.
OMNIGEN = Family(
    key="omnigen",
    name="OmniGen",
    parameters="3.8B",
    objective="flow_matching",
    pipeline="OmniGenPipeline",
    denoiser="OmniGenTransformer2DModel",
    swaps_blocks=True,
    flavours=(Flavour("v1", "OmniGen 1", "Shitao/OmniGen-v1-diffusers"),),
    default_flavour="v1",
    default_resolution=1024,
    alignment=16,
    token_limit=None,
    quantising=Quantising("suits", "int8 and fp8 are in use."),
)
