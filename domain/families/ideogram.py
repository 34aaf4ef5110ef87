"""Ideogram 4: a flow-matching transformer on FLUX.2's VAE, published only in fewer bits."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit

IDEOGRAM = Family(
    key="ideogram",
    name="Ideogram 4",
    parameters="9B",
    objective="flow_matching",
    pipeline="Ideogram4Pipeline",
    denoiser="Ideogram4Transformer2DModel",
    swaps_blocks=True,
    lora_targets=("to_k", "to_q", "to_v", "to_out.0", "w1", "w2", "w3"),
    flavours=(
        Flavour("fp8", "Ideogram 4 in fp8", "ideogram-ai/ideogram-4-fp8"),
        Flavour("nf4", "Ideogram 4 in nf4", "ideogram-ai/ideogram-4-nf4"),
    ),
    default_flavour="fp8",
    default_resolution=1024,
    alignment=16,
    token_limit=TokenLimit(2048, 2048),
    quantising=Quantising("needed", "There are no other weights than in fp8 and nf4."),
)
