"""Wan, text to video and picture to video: a flow-matching video transformer with UMT5 for captions."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, VideoFacts, drawn_with

FROM_PICTURE = "WanImageToVideoPipeline"

ALWAYS_512 = TokenLimit(512, 512, smallest=512)
"""The denoiser finds what CLIP sees of a picture by counting so many tokens of the caption from the end."""

# Those of flf2v and VACE are told of more than a first frame: they have to be trained otherwise.
WAN = Family(
    key="wan",
    name="Wan",
    modality="video",
    video=VideoFacts(frame_rate=16, frames_per_latent=4),
    parameters="1.3B-14B",
    objective="flow_matching",
    pipeline="WanPipeline",
    denoiser="WanTransformer3DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("t2v-480p-1.3b-2.1", "Wan 2.1 T2V 1.3B", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"),
        Flavour("t2v-480p-14b-2.1", "Wan 2.1 T2V 14B", "Wan-AI/Wan2.1-T2V-14B-Diffusers"),
        Flavour(
            "i2v-14b-2.1",
            "Wan 2.1 I2V 14B, 480p",
            "Wan-AI/Wan2.1-I2V-14B-480P-Diffusers",
            pipeline=FROM_PICTURE,
            token_limit=ALWAYS_512,
            needs_first_frame=True,
        ),
        Flavour(
            "i2v-14b-2.1-720p",
            "Wan 2.1 I2V 14B, 720p",
            "Wan-AI/Wan2.1-I2V-14B-720P-Diffusers",
            pipeline=FROM_PICTURE,
            token_limit=ALWAYS_512,
            resolution=704,
            needs_first_frame=True,
        ),
        Flavour(
            "i2v-14b-2.2-high",
            "Wan 2.2 I2V 14B, high noise",
            "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
            pipeline=FROM_PICTURE,
            needs_first_frame=True,
            denoiser_folder="transformer",
        ),
        Flavour(
            "i2v-14b-2.2-low",
            "Wan 2.2 I2V 14B, low noise",
            "Wan-AI/Wan2.2-I2V-A14B-Diffusers",
            pipeline=FROM_PICTURE,
            needs_first_frame=True,
            denoiser_folder="transformer_2",
        ),
        Flavour(
            "animegen-t2v-high",
            "Wan 2.2 T2V 14B, high noise",
            "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
            denoiser_folder="transformer",
        ),
        Flavour(
            "animegen-t2v-low",
            "Wan 2.2 T2V 14B, low noise",
            "Wan-AI/Wan2.2-T2V-A14B-Diffusers",
            denoiser_folder="transformer_2",
        ),
        Flavour("ti2v-5b-2.2", "Wan 2.2 TI2V 5B", "Wan-AI/Wan2.2-TI2V-5B-Diffusers", resolution=704, frame_rate=24),
    ),
    default_flavour="t2v-480p-1.3b-2.1",
    default_resolution=480,
    alignment=32,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising("suits", "int8, fp8 and nf4 are in use.", refused=("fp8-quanto",)),
    has_comfyui_names=True,
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
