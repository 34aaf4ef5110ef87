"""FLUX.2: a flow-matching transformer that reads captions with one language model."""

from domain.families.family import Family, Flavour, Quantising, Setting, TokenLimit, drawn_with

NON_COMMERCIAL = "The FLUX Non-Commercial License has to be accepted on the Hub."
KLEIN = "Flux2KleinPipeline"
REAL_GUIDANCE = Setting(
    "validation_guidance_real", 4.0, "Not distilled, so guidance takes a second pass; this is diffusers' own strength."
)

FLUX2 = Family(
    key="flux2",
    name="Flux.2",
    parameters="4B-32B",
    objective="flow_matching",
    pipeline="Flux2Pipeline",
    denoiser="Flux2Transformer2DModel",
    swaps_blocks=True,
    lora_targets=("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.to_qkv_mlp_proj"),
    flavours=(
        Flavour("dev", "FLUX.2 dev", "black-forest-labs/FLUX.2-dev", weight_bytes=2, terms=NON_COMMERCIAL),
        Flavour(
            "klein-4b",
            "FLUX.2 klein base 4B",
            "black-forest-labs/FLUX.2-klein-base-4B",
            weight_bytes=2,
            pipeline=KLEIN,
            settings=(REAL_GUIDANCE,),
        ),
        Flavour(
            "klein-9b",
            "FLUX.2 klein base 9B",
            "black-forest-labs/FLUX.2-klein-base-9B",
            weight_bytes=2,
            pipeline=KLEIN,
            terms=NON_COMMERCIAL,
            settings=(REAL_GUIDANCE,),
        ),
    ),
    default_flavour="klein-9b",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising(
        "suits", "int8, fp8 and nf4 are in use; dev has 32 billion parameters, which are 64 GB in bf16."
    ),
    has_comfyui_names=True,
    settings=(drawn_with(4.0),),
    capabilities=("lora", "full"),
)
