"""Lumina-Image 2: a flow-matching transformer that reads captions with Gemma 2."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

LUMINA2 = Family(
    key="lumina2",
    name="Lumina-T2I",
    parameters="2B",
    objective="flow_matching",
    pipeline="Lumina2Pipeline",
    denoiser="Lumina2Transformer2DModel",
    flavours=(
        Flavour("2.0", "Lumina Image 2.0", "Alpha-VLLM/Lumina-Image-2.0"),
        Flavour("neta-lumina", "Neta Lumina 1", "terminusresearch/neta-lumina-v1"),
    ),
    default_flavour="2.0",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(256, 512),
    quantising=Quantising("suits", "int8 is in use, though 2 billion seldom need it."),
    modelspec="lumina-2",
    has_comfyui_names=True,
    joined_in_comfyui="to_q, to_k and to_v",
    settings=(drawn_with(4.0),),
    capabilities=("lora", "full"),
)
