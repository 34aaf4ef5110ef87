"""Cosmos Predict 2, text to image: a video transformer that makes a single frame, with a T5 of 11 billion."""

from domain.families.family import Family, Flavour, Quantising, Setting, TokenLimit, drawn_with

COSMOS = Family(
    key="cosmos",
    name="Cosmos 2 (text to image)",
    parameters="2B-14B",
    objective="flow_matching",
    pipeline="Cosmos2TextToImagePipeline",
    denoiser="CosmosTransformer3DModel",
    swaps_blocks=True,
    packages=("cosmos_guardrail",),
    flavours=(
        Flavour("2b", "Cosmos Predict 2 2B", "nvidia/Cosmos-Predict2-2B-Text2Image"),
        Flavour("14b", "Cosmos Predict 2 14B", "nvidia/Cosmos-Predict2-14B-Text2Image"),
    ),
    default_flavour="2b",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising(
        "loses", "Its pictures suffer; 24 GB of memory hold a LoRA without.", refused=("fp8-quanto",)
    ),
    settings=(Setting("flow_schedule_shift", 1.0, "Its noise levels are not shifted."), drawn_with(7.0)),
    # Its pipeline hands over noise levels from which UniPC cannot make steps.
    refused_samplers=("flow_unipc",),
    has_comfyui_names=True,
    capabilities=("lora", "full"),
)
