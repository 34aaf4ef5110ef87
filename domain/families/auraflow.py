"""AuraFlow: a flow-matching transformer that reads captions with Pile-T5."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

AURAFLOW = Family(
    key="auraflow",
    name="AuraFlow",
    parameters="6B",
    objective="flow_matching",
    pipeline="AuraFlowPipeline",
    denoiser="AuraFlowTransformer2DModel",
    swaps_blocks=True,
    lora_targets=("to_k", "to_q", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
    flavours=(
        Flavour("pony", "Pony 7 base", "purplesmartai/pony-v7-base", token_limit=TokenLimit(768, 768)),
        Flavour("v0.3", "AuraFlow 0.3", "terminusresearch/auraflow-v0.3"),
        Flavour("v0.2", "AuraFlow 0.2", "fal/AuraFlow-v0.2"),
        Flavour("v0.1", "AuraFlow 0.1", "fal/AuraFlow"),
    ),
    default_flavour="v0.3",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(120, 256),
    quantising=Quantising("suits", "int8, fp8 and nf4 are in use.", refused=("fp8-quanto",)),
    has_comfyui_names=True,
    settings=(drawn_with(3.5),),
    capabilities=("lora", "full"),
)
