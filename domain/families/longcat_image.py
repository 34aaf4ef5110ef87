"""LongCat-Image: a flow-matching transformer on FLUX.1's VAE, with Qwen2.5-VL for captions."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

LONGCAT_IMAGE = Family(
    key="longcat_image",
    name="LongCat-Image",
    parameters="6B",
    objective="flow_matching",
    pipeline="LongCatImagePipeline",
    denoiser="LongCatImageTransformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("final", "LongCat-Image", "meituan-longcat/LongCat-Image"),
        Flavour("dev", "LongCat-Image Dev", "meituan-longcat/LongCat-Image-Dev"),
        Flavour(
            "edit",
            "LongCat-Image Edit",
            "meituan-longcat/LongCat-Image-Edit",
            pipeline="LongCatImageEditPipeline",
            needs_reference=True,
        ),
    ),
    default_flavour="final",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8 and fp8 are in use."),
    has_comfyui_names=True,
    settings=(drawn_with(4.5),),
    capabilities=("lora", "full"),
)
