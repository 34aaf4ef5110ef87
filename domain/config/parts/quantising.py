"""Keeping frozen weights in fewer bits. What suits a family, and what it refuses, is in domain/families."""

from typing import Any, Literal

from domain.config.options import Group, Part, option

BasePrecision = Literal[
    "no_change",
    "int8-quanto",
    "int4-quanto",
    "int2-quanto",
    "fp8-quanto",
    "fp8uz-quanto",
    "int8-torchao",
    "int8dq-torchao",
    "int8dq-int4-torchao",
    "int4-torchao",
    "nf4-torchao",
    "fp8-torchao",
    "fp8wo-torchao",
    "fp8-int4-torchao",
    "int8-sdnq",
    "uint8-sdnq",
    "int16-sdnq",
    "uint16-sdnq",
    "fp16-sdnq",
    "fp8-sdnq",
    "int6-sdnq",
    "int5-sdnq",
    "uint5-sdnq",
    "uint4-sdnq",
    "uint3-sdnq",
    "uint2-sdnq",
    "nf4-bnb",
    "fp8-native",
    "fp8-transformerengine",
]


class QuantisingOptions(Part):
    group = Group("quantising", "Quantising", "Frozen weights in fewer bits, to need less memory.")

    base_model_precision: BasePrecision = option(
        "no_change",
        label="Base model in fewer bits",
        later=True,
        usable=["no_change"],
        help="Number format of the frozen base model's weights. 8 bits halve their memory; some families lose by it.",
    )
    base_model_default_dtype: Literal["bf16", "fp32"] = option(
        "bf16",
        label="What stays unquantised",
        advanced=True,
        later=True,
        help="Number format of the weights that are not brought to fewer bits.",
    )
    text_encoder_1_precision: BasePrecision = option(
        "no_change",
        label="First text encoder",
        advanced=True,
        later=True,
        help="Number format of the first text encoder's weights.",
    )
    text_encoder_2_precision: BasePrecision = option(
        "no_change",
        label="Second text encoder",
        advanced=True,
        later=True,
        families=["sdxl", "flux", "sd3", "hidream", "kandinsky5_image"],
        help="Number format of the second text encoder's weights.",
    )
    text_encoder_3_precision: BasePrecision = option(
        "no_change",
        label="Third text encoder",
        advanced=True,
        later=True,
        families=["sd3", "hidream"],
        help="Number format of the third text encoder's weights, which is T5 and the largest of them in SD3.",
    )
    text_encoder_4_precision: BasePrecision = option(
        "no_change",
        label="Fourth text encoder",
        advanced=True,
        later=True,
        families=["hidream"],
        help="Number format of the fourth text encoder's weights, which is Llama.",
    )
    quantize_via: Literal["cpu", "accelerator", "pipeline"] = option(
        "accelerator",
        label="Quantise on",
        advanced=True,
        later=True,
        help="Where weights are brought to fewer bits: the CPU needs no GPU memory and takes longer; pipeline leaves it to diffusers while loading.",
    )
    quantization_config: dict[str, Any] | str | None = option(
        None,
        label="Quantising of each part",
        advanced=True,
        later=True,
        may_be_file=True,
        help="What diffusers should do to each part of the base model while loading, as a JSON object by part.",
    )
    quantize_activations: bool = option(
        False,
        label="Quantise activations too",
        advanced=True,
        later=True,
        help="Bring not only weights but also what is computed from them to fewer bits, with quanto.",
    )
    sdnq_weights_dtype: str | None = option(
        None,
        label="SDNQ format of weights",
        advanced=True,
        later=True,
        help="Replaces the format that the precision names, for weights quantised by SDNQ.",
    )
    sdnq_group_size: int | None = option(
        None,
        label="SDNQ group size",
        advanced=True,
        later=True,
        ge=-1,
        help="How many weights share one scale. Smaller is truer and larger on disk; -1 makes no groups.",
    )
    sdnq_use_svd: bool | None = option(
        None,
        label="SDNQ with SVD",
        advanced=True,
        later=True,
        help="Keep a low-rank part of each matrix unquantised. Empty: below 5 bits only.",
    )
    sdnq_svd_rank: int | None = option(
        None, label="SDNQ rank of SVD", advanced=True, later=True, ge=1, help="Rank of the part kept unquantised."
    )
    sdnq_svd_steps: int | None = option(
        None, label="SDNQ steps of SVD", advanced=True, later=True, ge=1, help="How often its estimate is refined."
    )
    sdnq_use_quantized_matmul: bool | None = option(
        None,
        label="SDNQ quantised products",
        advanced=True,
        later=True,
        help="Multiply in the quantised format too, which is faster on GPUs that have it.",
    )
    sdnq_quantized_matmul_dtype: Literal["auto", "int8", "float8_e4m3fn", "fp8", "float16", "fp16"] = option(
        "auto", label="SDNQ format of products", advanced=True, later=True, help="Number format of those products."
    )
    sdnq_dequantize_fp32: bool | None = option(
        None, label="SDNQ through fp32", advanced=True, later=True, help="Bring weights back to fp32 before use."
    )
    sdnq_use_stochastic_rounding: bool | None = option(
        None, label="SDNQ random rounding", advanced=True, later=True, help="Round up or down by chance, without bias."
    )
    sdnq_modules_to_not_convert: list[str] | None = option(
        None,
        label="SDNQ leaves alone",
        advanced=True,
        later=True,
        help="Names of modules that stay as they are, as a list or with commas.",
    )
