"""The small weights trained beside the frozen base model: LoRA by peft, or LyCORIS."""

from typing import Any, Literal

from domain.config.options import Group, Part, Starter, option

ADAPTER = ("lora",)

ATTENTION_AND_FEED_FORWARD = {
    "target_name": [r".*attn.*", r".*attention.*", r".*\.ff.*", r".*feed_forward.*", r".*mlp.*"],
    "enable_conv": False,
}
"""By the names that these layers have in the families; their classes are called otherwise in each."""

STARTERS = (
    Starter(
        "LoKr",
        "Kronecker products: small files that learn styles and subjects well. Begin here.",
        {
            "algo": "lokr",
            "linear_dim": 10000,
            "linear_alpha": 1,
            "factor": 8,
            "apply_preset": ATTENTION_AND_FEED_FORWARD,
        },
    ),
    Starter(
        "LoKr, larger",
        "The same with larger factors, for a subject with many details.",
        {
            "algo": "lokr",
            "linear_dim": 10000,
            "linear_alpha": 1,
            "factor": 4,
            "apply_preset": ATTENTION_AND_FEED_FORWARD,
        },
    ),
    Starter(
        "LoHa",
        "Hadamard products: learns broad styles with little rank.",
        {"algo": "loha", "linear_dim": 16, "linear_alpha": 8, "apply_preset": ATTENTION_AND_FEED_FORWARD},
    ),
)


class AdapterOptions(Part):
    group = Group("adapter", "Adapter", "Size and kind of the weights that are trained beside the base model.")

    lora_type: Literal["standard", "lycoris"] = option(
        "standard",
        label="Kind",
        model_types=ADAPTER,
        help="standard is the LoRA of peft. lycoris has further kinds such as LoKr, which lycoris_config chooses.",
    )
    lora_rank: int = option(
        16,
        label="Rank",
        ge=1,
        le=1024,
        model_types=ADAPTER,
        help="Size of the adapter. Larger learns more and needs more memory and disk.",
    )
    lora_alpha: float | None = option(
        None,
        label="Alpha",
        advanced=True,
        gt=0,
        model_types=ADAPTER,
        help="Strength of the adapter relative to its rank. Empty means equal to the rank.",
    )
    lora_dropout: float = option(
        0.1,
        label="Dropout",
        advanced=True,
        ge=0,
        lt=1,
        model_types=ADAPTER,
        help="Share of the adapter's inputs left out at random in each step.",
    )
    lora_init_type: Literal["default", "gaussian", "loftq", "olora", "pissa"] = option(
        "default",
        label="Initialisation",
        advanced=True,
        usable=["default", "gaussian", "olora", "pissa"],
        model_types=ADAPTER,
        help="How the adapter begins: drawn at random and zero (default, gaussian), or as the largest part (pissa) or a part (olora) of the base weights, which a second adapter subtracts; it is not trained, takes its memory and time, and doubles the rank of the file.",
    )
    peft_lora_target_modules: list[str] | None = option(
        None,
        label="Target modules",
        advanced=True,
        kind="json",
        model_types=ADAPTER,
        help="Names of the layers that get an adapter, as a JSON list. Empty means the family's attention layers.",
    )
    use_dora: bool = option(
        False,
        label="DoRA",
        advanced=True,
        model_types=ADAPTER,
        help="Train direction and magnitude of the weights apart: closer to full training, slower.",
    )
    use_rslora: bool = option(
        False,
        label="Rank-stabilised",
        advanced=True,
        model_types=ADAPTER,
        help="Divide alpha by the square root of the rank, so that high ranks learn as fast as low ones.",
    )
    peft_lora_mode: Literal["standard", "singlora"] = option(
        "standard",
        label="Form",
        advanced=True,
        later=True,
        usable=["standard"],
        model_types=ADAPTER,
        help="standard multiplies two matrices; singlora multiplies one with itself, in half the size.",
    )
    singlora_ramp_up_steps: int = option(
        0,
        label="Ramp of SingLoRA",
        advanced=True,
        later=True,
        ge=0,
        unit="steps",
        requires={"peft_lora_mode": "singlora"},
        help="Steps over which its strength grows from zero.",
    )
    slider_lora_target: bool = option(
        False,
        label="Slider",
        advanced=True,
        later=True,
        decisive=True,
        model_types=ADAPTER,
        help="Train an adapter whose strength moves a property up and down, from datasets with a slider_strength.",
    )
    init_lora: str | None = option(
        None,
        label="Adapter to begin with",
        advanced=True,
        kind="path",
        model_types=ADAPTER,
        help="A file, in the format of diffusers, ComfyUI or kohya's scripts, or a name on the Hub. Training goes on from this adapter instead of a new one.",
    )
    init_lora_step: int | None = option(
        None,
        label="Steps already made",
        advanced=True,
        ge=0,
        unit="steps",
        help="How many steps that adapter has behind it. Counting, the learning rate and the order of pictures go on from there, with an optimizer that remembers nothing yet.",
    )
    init_lora_ema: str | None = option(
        None,
        label="Average to begin with",
        advanced=True,
        kind="path",
        requires={"use_ema": True},
        help="The file in the folder ema beside that adapter: averaging goes on from there, not from the adapter itself.",
    )
    lora_format: Literal["diffusers", "comfyui"] = option(
        "diffusers",
        label="File format",
        advanced=True,
        model_types=ADAPTER,
        help="Names of the weights in saved files: as diffusers or LyCORIS looks for them, or as ComfyUI does, of every family that it has. ComfyUI finds many of diffusers' names too, though not those of UNets, but no alpha among them, and takes it for the rank. Of Stable Diffusion 1.x, 2.x and XL, Flux.1 and Chroma, diffusers reads ComfyUI's names and alpha too, of the usual layers.",
    )
    lycoris_config: dict[str, Any] | str | None = option(
        None,
        label="LyCORIS",
        may_be_file=True,
        requires={"lora_type": "lycoris"},
        starters=STARTERS,
        help="What LyCORIS adapts, and how: a JSON object with algo, linear_dim and so on, or the file that holds it.",
    )
    init_lokr_norm: float | None = option(
        None,
        label="LoKr's first size",
        advanced=True,
        ge=0,
        requires={"lora_type": "lycoris"},
        help="Begin with noise instead of zeros, of this share of each weight's norm, so that both factors learn from the first step; 1e-3 is usual. Empty begins with zeros.",
    )
    assistant_lora_path: str | None = option(
        None,
        label="Assistant",
        advanced=True,
        model_types=ADAPTER,
        kind="path",
        help="An adapter that undoes the distillation of a fast flavour while training, and is left out afterwards: a file or folder, or owner/name or owner/name:file on the Hub, such as ostris/FLUX.1-schnell-training-adapter.",
    )
    assistant_lora_strength: float = option(
        1.0,
        label="Assistant's strength",
        advanced=True,
        model_types=ADAPTER,
        help="How strongly the assistant counts in training and in the held-out loss.",
    )
    assistant_lora_inference_strength: float = option(
        0.0,
        label="Assistant in validation",
        advanced=True,
        model_types=ADAPTER,
        help="How strongly the assistant counts in validation pictures.",
    )
    disable_assistant_lora: bool = option(
        False,
        label="No assistant",
        advanced=True,
        model_types=ADAPTER,
        help="Leave out the assistant, whatever its path says.",
    )
