"""Sana: a linear-attention transformer over a VAE that shrinks pictures 32 times, with Gemma 2 for captions."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

SANA = Family(
    key="sana",
    name="Sana",
    parameters="0.6B-4.8B",
    objective="flow_matching",
    pipeline="SanaPipeline",
    denoiser="SanaTransformer2DModel",
    flavours=(
        Flavour("sana1.5-4.8b-1024", "Sana 1.5 4.8B", "Efficient-Large-Model/SANA1.5_4.8B_1024px_diffusers"),
        Flavour("sana1.5-1.6b-1024", "Sana 1.5 1.6B", "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers"),
        Flavour(
            "sana1.0-1.6b-2048",
            "Sana 1.0 1.6B at 2048",
            "Efficient-Large-Model/Sana_1600M_2Kpx_BF16_diffusers",
            resolution=2048,
        ),
        Flavour("sana1.0-1.6b-1024", "Sana 1.0 1.6B", "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers"),
        Flavour("sana1.0-600m-1024", "Sana 1.0 600M", "Efficient-Large-Model/Sana_600M_1024px_diffusers"),
        Flavour(
            "sana1.0-600m-512",
            "Sana 1.0 600M at 512",
            "Efficient-Large-Model/Sana_600M_512px_diffusers",
            resolution=512,
        ),
    ),
    default_flavour="sana1.5-4.8b-1024",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(300, 300),
    quantising=Quantising(
        "loses", "Trains in 12 GB of memory as it is, and its pictures suffer by fewer bits.", refused=("fp8-quanto",)
    ),
    settings=(drawn_with(4.5),),
    capabilities=("lora", "full"),
)
