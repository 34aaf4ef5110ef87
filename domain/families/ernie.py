"""ERNIE-Image: a flow-matching transformer on FLUX.2's VAE, with a Mistral 3 text encoder."""

from domain.families.family import Family, Flavour, Quantising, drawn_in, drawn_with

ERNIE = Family(
    key="ernie",
    name="ERNIE-Image",
    parameters=None,
    objective="flow_matching",
    pipeline="ErnieImagePipeline",
    denoiser="ErnieImageTransformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("base", "ERNIE-Image", "baidu/ERNIE-Image"),
        Flavour("turbo", "ERNIE-Image Turbo", "baidu/ERNIE-Image-Turbo", settings=drawn_in(8), is_distilled=True),
    ),
    default_flavour="base",
    default_resolution=1024,
    alignment=16,
    token_limit=None,
    quantising=Quantising("suits", "int8 is in use."),
    # Its pipeline hands over the noise levels as a tensor, which UniPC cannot copy.
    refused_samplers=("flow_unipc",),
    has_comfyui_names=True,
    settings=(drawn_with(4.0),),
    capabilities=("lora", "full"),
)
