"""LTX-Video: a flow-matching video transformer on latents that stand for 32 pixels in a row, with T5 for captions.

A picture is a video of one frame.
"""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, VideoFacts, drawn_with

LTXVIDEO = Family(
    key="ltxvideo",
    name="LTX-Video",
    modality="video",
    video=VideoFacts(frame_rate=25, frames_per_latent=8),
    parameters="2B",
    objective="flow_matching",
    pipeline="LTXPipeline",
    denoiser="LTXVideoTransformer3DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("0.9.5", "LTX-Video 0.9.5", "Lightricks/LTX-Video-0.9.5"),
        Flavour("0.9.0", "LTX-Video 0.9.0", "Lightricks/LTX-Video"),
    ),
    default_flavour="0.9.5",
    default_resolution=512,
    alignment=64,
    token_limit=TokenLimit(128, 512),
    quantising=Quantising("suits", "int8 and fp8 are in use.", refused=("fp8-quanto",)),
    has_comfyui_names=True,
    settings=(drawn_with(3.0),),
    capabilities=("lora", "full"),
)
