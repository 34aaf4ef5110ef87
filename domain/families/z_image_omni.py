"""Z-Image Omni: Z-Image that can also begin with pictures."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

Z_IMAGE_OMNI = Family(
    key="z_image_omni",
    name="Z-Image Omni",
    parameters="6B",
    objective="flow_matching",
    pipeline="ZImageOmniPipeline",
    denoiser="ZImageTransformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("base", "Z-Image Omni", "TONGYI-Lab/Z-Image-Base"),
        Flavour("edit", "Z-Image Edit", "TONGYI-Lab/Z-Image-Edit"),
    ),
    default_flavour="base",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8 is in use."),
    # Its pipeline hands over the noise levels as a list, which UniPC cannot multiply.
    refused_samplers=("flow_unipc",),
    has_comfyui_names=True,
    joined_in_comfyui="to_q, to_k and to_v of siglip_refiner",
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
