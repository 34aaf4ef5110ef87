"""Wan 2.1, text to video: a flow-matching video transformer with UMT5 for captions. A picture is a video of one frame."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

# Wan 2.2's large weights are two transformers, each for a part of the noise levels, and those of i2v, flf2v and VACE begin
# with pictures: they have to be trained otherwise.
WAN = Family(
    key="wan",
    name="Wan",
    modality="video",
    parameters="1.3B-14B",
    objective="flow_matching",
    pipeline="WanPipeline",
    denoiser="WanTransformer3DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("t2v-480p-1.3b-2.1", "Wan 2.1 T2V 1.3B", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"),
        Flavour("t2v-480p-14b-2.1", "Wan 2.1 T2V 14B", "Wan-AI/Wan2.1-T2V-14B-Diffusers"),
    ),
    default_flavour="t2v-480p-1.3b-2.1",
    default_resolution=480,
    alignment=32,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8, fp8 and nf4 are in use.", refused=("fp8-quanto",)),
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
