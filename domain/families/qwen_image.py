"""Qwen-Image: a large flow-matching transformer that reads captions, and pictures to edit, with Qwen2.5-VL."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

EDIT_PLUS = "QwenImageEditPlusPipeline"

QWEN_IMAGE = Family(
    key="qwen_image",
    name="Qwen-Image",
    parameters="20B",
    objective="flow_matching",
    pipeline="QwenImagePipeline",
    denoiser="QwenImageTransformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("v1.0", "Qwen-Image", "Qwen/Qwen-Image", weight_bytes=2),
        Flavour("v2.0", "Qwen-Image 2512", "Qwen/Qwen-Image-2512"),
        Flavour(
            "edit-v1",
            "Qwen-Image Edit",
            "Qwen/Qwen-Image-Edit",
            weight_bytes=2,
            pipeline="QwenImageEditPipeline",
            needs_reference=True,
        ),
        Flavour(
            "edit-v2",
            "Qwen-Image Edit 2509",
            "Qwen/Qwen-Image-Edit-2509",
            weight_bytes=2,
            pipeline=EDIT_PLUS,
            needs_reference=True,
        ),
        # The same weights as edit-v2, with several pictures to begin with.
        Flavour(
            "edit-v2+",
            "Qwen-Image Edit 2509, several pictures",
            "Qwen/Qwen-Image-Edit-2509",
            weight_bytes=2,
            pipeline=EDIT_PLUS,
            needs_reference=True,
        ),
        Flavour(
            "edit-v3", "Qwen-Image Edit 2511", "Qwen/Qwen-Image-Edit-2511", pipeline=EDIT_PLUS, needs_reference=True
        ),
    ),
    default_flavour="v2.0",
    default_resolution=1024,
    alignment=32,
    token_limit=TokenLimit(512, 1024),
    quantising=Quantising("needed", "24 GB of memory are the least with int8 or nf4; 40 GB are better."),
    has_comfyui_names=True,
    settings=(drawn_with(4.0),),
    capabilities=("lora", "full"),
)
