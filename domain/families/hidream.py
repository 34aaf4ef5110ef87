"""HiDream I1: a flow-matching mixture of experts with two CLIP text encoders, T5 and Llama 3.1."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_in, drawn_with

LLAMA = "One of its text encoders is Llama 3.1 8B Instruct: Meta's licence has to be accepted on the Hub."

LLAMA_REPOSITORY = "meta-llama/Llama-3.1-8B-Instruct"

HIDREAM = Family(
    key="hidream",
    name="HiDream",
    parameters="17B",
    objective="flow_matching",
    pipeline="HiDreamImagePipeline",
    denoiser="HiDreamImageTransformer2DModel",
    lora_targets=("to_k", "to_q", "to_v", "to_out"),
    swaps_blocks=True,
    flavours=(
        Flavour("dev", "HiDream I1 dev", "HiDream-ai/HiDream-I1-Dev", terms=LLAMA, settings=drawn_in(28)),
        Flavour("full", "HiDream I1 full", "HiDream-ai/HiDream-I1-Full", terms=LLAMA),
        Flavour(
            "fast",
            "HiDream I1 fast",
            "HiDream-ai/HiDream-I1-Fast",
            terms=LLAMA,
            settings=drawn_in(16),
            is_distilled=True,
        ),
    ),
    default_flavour="full",
    default_resolution=1024,
    alignment=64,
    max_pixels=1024 * 1024,
    token_limit=TokenLimit(128, 128),
    quantising=Quantising(
        "suits",
        "int8, fp8 and nf4 are in use; denoiser and Llama must be quantised by the same library, or not at all.",
        refused=("fp8-quanto",),
        same_library=("base_model_precision", "text_encoder_4_precision"),
    ),
    has_comfyui_names=True,
    settings=(drawn_with(5.0),),
    capabilities=("lora", "full"),
)
