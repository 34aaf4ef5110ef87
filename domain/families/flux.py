"""FLUX.1: a flow-matching transformer with CLIP and T5; most flavours have their guidance distilled into them."""

from domain.families.family import Family, Flavour, Quantising, Setting, TokenLimit, drawn_in, drawn_with

NON_COMMERCIAL = "The FLUX.1 [dev] Non-Commercial License has to be accepted on the Hub."
MASKED = Setting("flux_attention_masked_training", True, "Trained with the padding of captions masked out.")
GUIDED = Setting("flux_guidance_value", 3.5, "Trained with this guidance instead of 1.")
# Guidance was trained out of these two: pictures need a second pass for the negative prompt.
UNDISTILLED = (
    Setting("validation_num_inference_steps", 28, "Fewer steps leave its pictures unfinished."),
    Setting("validation_guidance_real", 6.0, "Not distilled, so guidance takes a second pass."),
)

FLUX = Family(
    key="flux",
    name="Flux.1",
    parameters="8B-12B",
    objective="flow_matching",
    pipeline="FluxPipeline",
    denoiser="FluxTransformer2DModel",
    swaps_blocks=True,
    flavours=(
        Flavour("dev", "FLUX.1 dev", "black-forest-labs/FLUX.1-dev", weight_bytes=2, terms=NON_COMMERCIAL),
        Flavour("krea", "FLUX.1 Krea dev", "black-forest-labs/FLUX.1-Krea-dev", weight_bytes=2, terms=NON_COMMERCIAL),
        Flavour(
            "schnell",
            "FLUX.1 schnell",
            "black-forest-labs/FLUX.1-schnell",
            weight_bytes=2,
            is_distilled=True,
            token_limit=TokenLimit(256, 256),
            modelspec="flux-1-schnell",
            terms="Apache-2.0, but the Hub wants a name and an address before it lets anybody download.",
            settings=(
                Setting(
                    "flux_fast_schedule",
                    True,
                    "Distilled to a few steps, so it is trained on the noise levels of those.",
                ),
                *drawn_in(4),
            ),
        ),
        Flavour(
            "kontext",
            "FLUX.1 Kontext dev",
            "black-forest-labs/FLUX.1-Kontext-dev",
            weight_bytes=2,
            pipeline="FluxKontextPipeline",
            terms=NON_COMMERCIAL,
            settings=(
                Setting(
                    "validation_using_datasets", False, "Validation pictures begin with prompts, not with the data."
                ),
            ),
        ),
        Flavour("fluxbooru", "Fluxbooru 0.3", "terminusresearch/fluxbooru-v0.3", settings=(GUIDED, *UNDISTILLED)),
        Flavour("libreflux", "LibreFLUX", "jimmycarter/LibreFlux-SimpleTuner", settings=(MASKED, *UNDISTILLED)),
    ),
    default_flavour="krea",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(512, 512),
    quantising=Quantising(
        "suits",
        "A LoRA takes about 30 GB of memory as it is, 18 GB with int8, 13 GB with int4, 9 GB with nf4.",
        refused=("fp8-quanto",),
    ),
    modelspec="flux-1-dev",
    has_comfyui_names=True,
    diffusers_reads_comfyui=True,
    settings=(drawn_with(3.5),),
    capabilities=("lora", "full"),
)
