"""DeepFloyd IF: UNets that draw pixels without a VAE, in stages, with T5 for captions."""

from domain.families.family import Family, Flavour, Quantising, TokenLimit

TERMS = "DeepFloyd's licence has to be accepted on the Hub."
SECOND_STAGE = "IFSuperResolutionPipeline"

DEEPFLOYD = Family(
    key="deepfloyd",
    name="DeepFloyd IF",
    parameters="0.4B-4.3B",
    objective="epsilon",
    pipeline="IFPipeline",
    denoiser="UNet2DConditionModel",
    flavours=(
        Flavour("i-medium-400m", "IF I medium", "DeepFloyd/IF-I-M-v1.0", weight_bytes=4, terms=TERMS),
        Flavour("i-large-900m", "IF I large", "DeepFloyd/IF-I-L-v1.0", weight_bytes=4, terms=TERMS),
        Flavour("i-xlarge-4.3b", "IF I extra large", "DeepFloyd/IF-I-XL-v1.0", weight_bytes=4, terms=TERMS),
        Flavour(
            "ii-medium-450m",
            "IF II medium",
            "DeepFloyd/IF-II-M-v1.0",
            pipeline=SECOND_STAGE,
            resolution=256,
            terms=TERMS,
        ),
        Flavour(
            "ii-large-1.2b", "IF II large", "DeepFloyd/IF-II-L-v1.0", pipeline=SECOND_STAGE, resolution=256, terms=TERMS
        ),
    ),
    default_flavour="i-medium-400m",
    default_resolution=64,
    alignment=32,
    token_limit=TokenLimit(77, 77),
    quantising=Quantising("loses", "It draws pixels, where rounding is seen.", refused=("fp8-quanto",)),
)
