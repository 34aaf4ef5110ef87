"""PixArt Sigma: a small transformer with cross-attention to T5, trained to predict noise."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit, drawn_with

# diffusers has no LoRA mixin for it: adapters go through peft alone.
PIXART = Family(
    key="pixart",
    name="PixArt Sigma",
    parameters="0.6B-0.9B",
    objective="epsilon",
    pipeline="PixArtSigmaPipeline",
    denoiser="PixArtTransformer2DModel",
    flavours=(
        Flavour("900M-1024-v0.6", "PixArt 900M v0.6", "terminusresearch/pixart-900m-1024-ft-v0.6"),
        Flavour(
            "900M-1024-v0.7-stage1", "PixArt 900M v0.7, stage 1", "terminusresearch/pixart-900m-1024-ft-v0.7-stage1"
        ),
        Flavour(
            "900M-1024-v0.7-stage2", "PixArt 900M v0.7, stage 2", "terminusresearch/pixart-900m-1024-ft-v0.7-stage2"
        ),
        Flavour(
            "600M-512", "PixArt Sigma 512", "PixArt-alpha/PixArt-Sigma-XL-2-512-MS", weight_bytes=4, resolution=512
        ),
        Flavour("600M-1024", "PixArt Sigma 1024", "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", weight_bytes=4),
        Flavour(
            "600M-2048", "PixArt Sigma 2K", "PixArt-alpha/PixArt-Sigma-XL-2-2K-MS", weight_bytes=4, resolution=2048
        ),
    ),
    default_flavour="900M-1024-v0.6",
    default_resolution=1024,
    alignment=64,
    token_limit=TokenLimit(300, 300),
    quantising=Quantising(
        "loses", "Too small to gain from fewer bits, and its pictures suffer.", refused=("fp8-quanto",)
    ),
    has_comfyui_names=True,
    settings=(drawn_with(4.5),),
    capabilities=("lora", "full"),
)
