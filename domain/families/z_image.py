"""Z-Image: a flow-matching transformer that reads captions with Qwen3 4B."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_in, drawn_with

TURBO = "Tongyi-MAI/Z-Image-Turbo"

Z_IMAGE = Family(
    key="z_image",
    name="Z-Image",
    parameters="6B",
    objective="flow_matching",
    pipeline="ZImagePipeline",
    denoiser="ZImageTransformer2DModel",
    swaps_blocks=True,
    # The two of ostris are not repositories of their own: on turbo, one lays an adapter that undoes the distillation while
    # training, the other a denoiser without it.
    flavours=(
        Flavour("base", "Z-Image", "Tongyi-MAI/Z-Image"),
        Flavour("turbo", "Z-Image Turbo", TURBO, settings=drawn_in(8), is_distilled=True),
        Flavour(
            "turbo-ostris-v2",
            "Z-Image Turbo with ostris' training adapter v2",
            TURBO,
            settings=drawn_in(8),
            is_distilled=True,
        ),
        Flavour(
            "ostris-de-turbo",
            "Z-Image De-Turbo by ostris",
            TURBO,
            peculiarity="has its denoiser in another repository than the rest",
        ),
    ),
    default_flavour="turbo-ostris-v2",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8 is in use."),
    has_comfyui_names=True,
    # Its pipeline hands over the noise levels as a list, which UniPC cannot multiply.
    refused_samplers=("flow_unipc",),
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
