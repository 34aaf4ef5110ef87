"""Chroma 1: FLUX.1 schnell pruned and trained on, with T5 alone and the padding of captions masked out."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

CHROMA = Family(
    key="chroma",
    name="Chroma 1",
    parameters="8.9B",
    objective="flow_matching",
    pipeline="ChromaPipeline",
    denoiser="ChromaTransformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("base", "Chroma1 Base", "lodestones/Chroma1-Base", weight_bytes=2),
        Flavour("hd", "Chroma1 HD", "lodestones/Chroma1-HD", weight_bytes=2),
        Flavour("flash", "Chroma1 Flash", "lodestones/Chroma1-Flash", weight_bytes=2),
    ),
    default_flavour="base",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8, fp8 and nf4 are in use."),
    modelspec="chroma",
    has_comfyui_names=True,
    diffusers_reads_comfyui=True,
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
