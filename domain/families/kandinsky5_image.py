"""Kandinsky 5 Image: a flow-matching transformer on FLUX.1's VAE, with Qwen2.5-VL and CLIP for captions."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

EDIT = "Kandinsky5I2IPipeline"

KANDINSKY5_IMAGE = Family(
    key="kandinsky5_image",
    name="Kandinsky 5 Image",
    parameters="6B",
    objective="flow_matching",
    pipeline="Kandinsky5T2IPipeline",
    denoiser="Kandinsky5Transformer3DModel",
    swaps_blocks=True,
    lora_targets=("to_key", "to_query", "to_value"),
    flavours=(
        Flavour("t2i-lite-sft", "Kandinsky 5 T2I Lite", "kandinskylab/Kandinsky-5.0-T2I-Lite-sft-Diffusers"),
        Flavour(
            "t2i-lite-pretrain",
            "Kandinsky 5 T2I Lite, pretrained",
            "kandinskylab/Kandinsky-5.0-T2I-Lite-pretrain-Diffusers",
        ),
        Flavour(
            "i2i-lite-sft",
            "Kandinsky 5 I2I Lite",
            "kandinskylab/Kandinsky-5.0-I2I-Lite-sft-Diffusers",
            pipeline=EDIT,
            needs_reference=True,
        ),
        Flavour(
            "i2i-lite-pretrain",
            "Kandinsky 5 I2I Lite, pretrained",
            "kandinskylab/Kandinsky-5.0-I2I-Lite-pretrain-Diffusers",
            pipeline=EDIT,
            needs_reference=True,
        ),
    ),
    default_flavour="t2i-lite-sft",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(256, 1024),
    quantising=Quantising("suits", "int8 is in use."),
    has_comfyui_names=True,
    settings=(drawn_with(3.5),),
    capabilities=("lora", "full"),
)
