"""Krea 2: a flow-matching transformer on Qwen-Image's VAE, with Qwen3-VL for captions."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_in, drawn_with

KREA2 = Family(
    key="krea2",
    name="Krea 2",
    parameters=None,
    objective="flow_matching",
    pipeline="Krea2Pipeline",
    denoiser="Krea2Transformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("raw", "Krea 2 Raw", "krea/Krea-2-Raw"),
        Flavour("turbo", "Krea 2 Turbo", "krea/Krea-2-Turbo", settings=drawn_in(8), is_distilled=True),
    ),
    default_flavour="raw",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8 is in use."),
    has_comfyui_names=True,
    settings=(drawn_with(4.5),),
    capabilities=("lora", "full"),
)
