"""The update rule."""

from typing import Literal, get_args

from domain.config.options import Group, Part, option

Optimizer = Literal[
    "torch-adamw",
    "torch-adam",
    "torch-sgd",
    "torch-radam",
    "torch-nadam",
    "torch-rmsprop",
    "torch-adagrad",
    "torch-adadelta",
    "torch-adafactor",
    "torch-adamax",
    "torch-asgd",
    "torch-sparseadam",
    "adamw_bf16",
    "adamw_schedulefree",
    "adamw_schedulefree+aggressive",
    "adamw_schedulefree+no_kahan",
    "optimi-stableadamw",
    "optimi-adamw",
    "optimi-lion",
    "optimi-radam",
    "optimi-ranger",
    "optimi-adan",
    "optimi-adam",
    "optimi-sgd",
    "soap",
    "muon",
    "prodigy",
    "bnb-adagrad",
    "bnb-adagrad8bit",
    "bnb-adam",
    "bnb-adam8bit",
    "bnb-adamw",
    "bnb-adamw8bit",
    "bnb-adamw-paged",
    "bnb-adamw8bit-paged",
    "bnb-lion",
    "bnb-lion8bit",
    "bnb-lion-paged",
    "bnb-lion8bit-paged",
    "bnb-ademamix",
    "bnb-ademamix8bit",
    "bnb-ademamix-paged",
    "bnb-ademamix8bit-paged",
    "sdnq-adamw",
    "sdnq-adamw+no_quant",
    "sdnq-adafactor",
    "sdnq-came",
    "sdnq-lion",
    "sdnq-muon",
    "sdnq-muon+quantized_matmul",
    "ao-adamw8bit",
    "ao-adamw4bit",
    "ao-adamfp8",
    "ao-adamwfp8",
]


LATER = (
    "torch-sparseadam",
    "adamw_schedulefree+aggressive",
    "adamw_schedulefree+no_kahan",
    "sdnq-adamw",
    "sdnq-adamw+no_quant",
    "sdnq-adafactor",
    "sdnq-came",
    "sdnq-lion",
    "sdnq-muon",
    "sdnq-muon+quantized_matmul",
)


class OptimizerOptions(Part):
    group = Group("optimizer", "Optimizer", "The rule by which gradients become updates.")

    optimizer: Optimizer = option(
        "torch-adamw",
        label="Update rule",
        usable=[name for name in get_args(Optimizer) if name not in LATER],
        help="The update rule. AdamW suits nearly everything; 8-bit kinds save memory, prodigy finds its learning rate.",
    )
    optimizer_config: str | None = option(
        None,
        label="Settings of the optimizer",
        advanced=True,
        kind="text",
        help="Further arguments of the optimizer, as key=value with commas between them.",
    )
    optimizer_beta1: float | None = option(
        None,
        label="Beta 1",
        advanced=True,
        ge=0,
        lt=1,
        aliases=["adam_beta1"],
        help="Memory of the mean gradient. Empty: what suits the optimizer, which is 0.9 for AdamW.",
    )
    optimizer_beta2: float | None = option(
        None,
        label="Beta 2",
        advanced=True,
        ge=0,
        lt=1,
        aliases=["adam_beta2"],
        help="Memory of the gradient's variance. Empty: what suits the optimizer, which is 0.999 for AdamW.",
    )
    adam_epsilon: float | None = option(
        None,
        label="Epsilon",
        advanced=True,
        ge=0,
        help="Keeps the division by the gradient's variance finite. Empty: what suits the optimizer.",
    )
    adam_weight_decay: float = option(
        0.01, label="Weight decay", advanced=True, ge=0, help="Pull of the weights towards zero."
    )
    max_grad_norm: float = option(
        1.0,
        label="Gradient clipping",
        advanced=True,
        ge=0,
        help="Largest norm, or largest number, a gradient may have; 0 turns clipping off.",
    )
    grad_clip_method: Literal["norm", "value"] = option(
        "norm",
        label="Clip by",
        advanced=True,
        help="norm shortens the gradient as a whole and keeps its direction; value cuts each number on its own.",
    )
    gradient_precision: Literal["unmodified", "fp32"] | None = option(
        None,
        label="Gradients in",
        advanced=True,
        requires={"optimizer": "adamw_bf16"},
        help="Number format that gradients are added up in where weights have 16 bits. Empty or unmodified: the weights' own.",
    )
    fuse_optimizer: bool = option(
        False,
        label="Update while going back",
        advanced=True,
        later=True,
        help="Update each layer as soon as its gradient is there, so that gradients need no memory of their own.",
    )
    optimizer_release_gradients: bool = option(
        False,
        label="Release gradients",
        advanced=True,
        later=True,
        help="Free each gradient right after its update; optimi's optimizers can.",
    )
    optimizer_cpu_offload_method: str | None = option(
        None,
        label="Optimizer in main memory",
        advanced=True,
        later=True,
        help="How the optimizer's memory is kept beside the GPU; empty or none keeps it there.",
    )
    optimizer_offload_gradients: bool = option(
        False,
        label="Gradients in main memory",
        advanced=True,
        later=True,
        help="Move gradients to main memory together with the optimizer's own memory.",
    )
    prodigy_steps: int | None = option(
        None,
        label="Prodigy adapts for",
        advanced=True,
        ge=0,
        unit="steps",
        requires={"optimizer": "prodigy"},
        help="Steps after which prodigy keeps the learning rate it has found. Empty: it never stops looking.",
    )
    train_text_encoder: bool = option(
        False,
        label="Train the text encoder",
        advanced=True,
        families=["sd1x", "sd2x", "sdxl"],
        help="Give the text encoder an adapter as well, for words it has never met.",
    )
    text_encoder_lr: float | None = option(
        None,
        label="Its learning rate",
        advanced=True,
        gt=0,
        le=1,
        requires={"train_text_encoder": True},
        help="Learning rate of the text encoder. Empty: the denoiser's.",
    )
    layer_freeze_strategy: Literal["none", "bitfit"] | None = option(
        None,
        label="Freeze layers",
        advanced=True,
        later=True,
        model_types=["full"],
        help="bitfit trains only the biases.",
    )
