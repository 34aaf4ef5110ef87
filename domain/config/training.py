"""TrainingConfig: the keys of an environment's config.json, each with its type, default, bounds and help.

Keys and values are those of the existing command line, so its files can be used as they are.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from domain.config.options import option

ModelFamily = Literal[
    "sdxl",
    "flux",
    "sd3",
    "z_image",
    "qwen_image",
    "flux2",
    "chroma",
    "pixart",
    "sana",
    "auraflow",
    "lumina2",
    "hidream",
    "kolors",
    "cosmos",
    "sd1x",
    "sd2x",
    "deepfloyd",
    "ernie",
    "ideogram",
    "kandinsky5_image",
    "krea2",
    "longcat_image",
    "omnigen",
    "stable_cascade",
    "z_image_omni",
]


SMALLEST_EDGE = 8
LARGEST_AREA = 64
"""In megapixels."""

ResolutionType = Literal["pixel", "pixel_area", "area"]


class TrainingConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)

    # ---- model
    model_family: ModelFamily = option(label="Model family", group="model", help="The architecture to train.")
    model_flavour: str | None = option(
        None,
        label="Flavour",
        group="model",
        help="Which published weights of the family to start from. Leave empty for the family's usual one, or when you give a path of your own.",
    )
    pretrained_model_name_or_path: str | None = option(
        None,
        label="Base model",
        group="model",
        kind="path",
        help="A folder in diffusers format, or a name on the Hugging Face Hub. Replaces the flavour's own weights.",
    )
    revision: str | None = option(
        None, label="Revision", group="model", advanced=True, help="Branch, tag or commit of the base model on the Hub."
    )
    variant: str | None = option(
        None,
        label="Weights variant",
        group="model",
        advanced=True,
        help="Which file variant to load, for example fp16, when the base model offers several.",
    )
    model_type: Literal["lora"] = option(
        "lora",
        label="What to train",
        group="model",
        help="lora trains a small adapter beside the frozen base model.",
    )
    prediction_type: Literal["epsilon", "v_prediction"] | None = option(
        None,
        label="Prediction type",
        group="model",
        advanced=True,
        help="What the denoiser predicts. Leave empty to use what the base model's scheduler says, which is nearly always right.",
    )
    mixed_precision: Literal["no", "fp16", "bf16"] = option(
        "bf16",
        label="Mixed precision",
        group="model",
        help="Number format of the computation on a GPU. On the CPU everything is computed in fp32.",
    )
    gradient_checkpointing: bool = option(
        False,
        label="Gradient checkpointing",
        group="model",
        help="Compute activations again in the backward pass: less memory, about a third slower.",
    )

    merge_environment_config: bool = option(
        False,
        label="Use environment defaults",
        group="model",
        help="Take over what the environment named default says, where this one says nothing.",
    )

    # ---- adapter
    lora_rank: int = option(
        16,
        label="Rank",
        group="adapter",
        ge=1,
        le=1024,
        help="Size of the adapter. Larger learns more and needs more memory and disk.",
    )
    lora_alpha: float | None = option(
        None,
        label="Alpha",
        group="adapter",
        advanced=True,
        gt=0,
        help="Strength of the adapter relative to its rank. Empty means equal to the rank.",
    )
    lora_dropout: float = option(
        0.1,
        label="Dropout",
        group="adapter",
        advanced=True,
        ge=0,
        lt=1,
        help="Share of the adapter's inputs left out at random in each step.",
    )
    lora_init_type: Literal["default", "gaussian"] = option(
        "default",
        label="Initialisation",
        group="adapter",
        advanced=True,
        help="How the adapter's first matrix is drawn; the second one starts at zero.",
    )
    peft_lora_target_modules: list[str] | None = option(
        None,
        label="Target modules",
        group="adapter",
        advanced=True,
        kind="json",
        help="Names of the layers that get an adapter, as a JSON list. Empty means the family's attention layers.",
    )

    # ---- schedule
    max_train_steps: int = option(
        0,
        label="Steps",
        group="schedule",
        ge=0,
        help="How many optimizer updates to make. 0 means: as many as the epochs below need.",
    )
    num_train_epochs: int = option(
        1,
        label="Epochs",
        group="schedule",
        ge=0,
        le=100_000,
        help="How often to go through the data. Counts only while Steps is 0.",
    )
    train_batch_size: int = option(
        4,
        label="Batch size",
        group="schedule",
        ge=1,
        le=4096,
        help="Pictures that each device takes at once. Lower it when memory runs out.",
    )
    gradient_accumulation_steps: int = option(
        1,
        label="Gradient accumulation",
        group="schedule",
        ge=1,
        le=4096,
        help="Batches added up for one update. Multiplies the effective batch size without more memory.",
    )
    num_processes: int = option(
        1, label="Devices", group="schedule", advanced=True, ge=1, le=64, help="How many GPUs train together."
    )
    seed: int = option(
        42,
        label="Seed",
        group="schedule",
        ge=0,
        lt=2**31,
        help="Start of everything that is drawn at random. The same seed gives the same run.",
    )

    # ---- optimizer
    optimizer: Literal["torch-adamw"] = option(
        "torch-adamw", label="Optimizer", group="optimizer", help="The update rule."
    )
    learning_rate: float = option(
        1e-4,
        label="Learning rate",
        group="optimizer",
        gt=0,
        le=1,
        help="Size of the updates. 1e-4 suits most LoRAs; small models need up to 1e-3.",
    )
    lr_scheduler: Literal[
        "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"
    ] = option(
        "constant_with_warmup",
        label="Learning rate schedule",
        group="optimizer",
        help="How the learning rate changes over the run.",
    )
    lr_warmup_steps: int = option(
        0, label="Warm-up steps", group="optimizer", ge=0, help="Steps over which the learning rate rises from zero."
    )
    lr_num_cycles: int = option(
        1,
        label="Restarts",
        group="optimizer",
        advanced=True,
        ge=1,
        requires={"lr_scheduler": "cosine_with_restarts"},
        help="How often the cosine schedule starts over.",
    )
    lr_power: float = option(
        0.8,
        label="Power",
        group="optimizer",
        advanced=True,
        gt=0,
        requires={"lr_scheduler": "polynomial"},
        help="Exponent of the polynomial schedule.",
    )
    optimizer_beta1: float = option(
        0.9, label="Beta 1", group="optimizer", advanced=True, ge=0, lt=1, help="Memory of the mean gradient."
    )
    optimizer_beta2: float = option(
        0.999, label="Beta 2", group="optimizer", advanced=True, ge=0, lt=1, help="Memory of the gradient's variance."
    )
    adam_weight_decay: float = option(
        0.01, label="Weight decay", group="optimizer", advanced=True, ge=0, help="Pull of the weights towards zero."
    )
    max_grad_norm: float = option(
        1.0,
        label="Gradient clipping",
        group="optimizer",
        advanced=True,
        ge=0,
        help="Largest norm a gradient may have; 0 turns clipping off.",
    )
    snr_gamma: float | None = option(
        None,
        label="Min-SNR gamma",
        group="optimizer",
        advanced=True,
        gt=0,
        help="Weigh noise levels by their signal-to-noise ratio, cut at this value; 5 is usual. Empty turns it off.",
    )

    # ---- data
    resolution: float = option(
        512,
        label="Resolution",
        group="data",
        gt=0,
        le=8192,
        help="The size that pictures are brought to, measured as the resolution type says.",
    )
    resolution_type: ResolutionType = option(
        "pixel_area",
        label="Resolution type",
        group="data",
        help="pixel_area: edge in pixels of a square of the same area. pixel: the shorter edge. area: megapixels.",
    )
    aspect_bucket_rounding: int = option(
        2,
        label="Decimals of ratios",
        group="data",
        advanced=True,
        ge=1,
        le=9,
        help="How exactly pictures are sorted by shape. Less makes fewer and fuller aspect buckets.",
    )
    aspect_bucket_alignment: Literal[0, 8, 16, 24, 32, 64] = option(
        0,
        label="Alignment",
        group="data",
        advanced=True,
        help="Edges are brought to multiples of this many pixels. 0: what the family needs.",
    )
    allow_dataset_oversubscription: bool = option(
        False,
        label="Fill up small buckets",
        group="data",
        help="Show pictures of aspect buckets that cannot fill an effective batch more often, until they do.",
    )
    allow_bucket_pruning: bool = option(
        False,
        label="Leave out small buckets",
        group="data",
        advanced=True,
        help="Do not train on aspect buckets that cannot fill an effective batch, instead of refusing to start.",
    )
    caption_dropout_probability: float = option(
        0.1,
        label="Caption dropout",
        group="data",
        ge=0,
        le=1,
        help="Share of the pictures shown without their caption, which keeps guidance working.",
    )
    vae_batch_size: int = option(
        4,
        label="VAE batch size",
        group="data",
        advanced=True,
        ge=1,
        help="Pictures encoded at once before training starts.",
    )

    # ---- validation
    validation_disable: bool = option(
        False, label="No validation", group="validation", help="Make no pictures during training."
    )
    validation_prompt: str | None = option(
        None,
        label="Validation prompt",
        group="validation",
        kind="long_text",
        help="What to draw at each validation. Use your trigger word.",
    )
    user_prompt_library: dict[str, str] | None = option(
        None,
        label="Prompt library",
        group="validation",
        kind="json",
        help="Several validation prompts, each with a short name, as a JSON object.",
    )
    validation_negative_prompt: str = option(
        "",
        label="Negative prompt",
        group="validation",
        advanced=True,
        kind="long_text",
        help="What validation pictures should not show.",
    )
    validation_step_interval: int = option(
        100,
        label="Validate every",
        group="validation",
        ge=1,
        help="Steps between validations. There is always one before the first step and one after the last.",
    )
    validation_num_inference_steps: int = option(
        30,
        label="Inference steps",
        group="validation",
        ge=1,
        le=1000,
        help="Denoising steps of each validation picture.",
    )
    validation_guidance: float = option(
        7.5,
        label="Guidance",
        group="validation",
        ge=0,
        le=100,
        help="How strictly validation pictures follow their prompt.",
    )
    validation_resolution: int | None = option(
        None,
        label="Validation resolution",
        group="validation",
        ge=8,
        le=8192,
        help="Edge length in pixels of validation pictures. Empty: as in training.",
    )
    validation_seed: int = option(
        42,
        label="Validation seed",
        group="validation",
        ge=0,
        lt=2**31,
        help="The same seed at every validation makes the pictures comparable.",
    )
    num_validation_images: int = option(
        1, label="Pictures per prompt", group="validation", ge=1, le=10, help="Each with the next seed."
    )

    # ---- checkpoints
    checkpoint_step_interval: int = option(
        500,
        label="Checkpoint every",
        group="checkpoints",
        ge=1,
        help="Steps between checkpoints. A run that dies goes on from the last one.",
    )
    checkpoints_total_limit: int = option(
        5,
        label="Checkpoints kept",
        group="checkpoints",
        ge=1,
        help="Older checkpoints are removed when there are more.",
    )

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.max_train_steps == 0 and self.num_train_epochs == 0:
            raise ValueError(
                "max_train_steps and num_train_epochs are both 0; set one of them to say how long to train"
            )
        return self

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.resolution_type != "area" and self.resolution < SMALLEST_EDGE:
            raise ValueError(
                f"resolution is {self.resolution:g} pixels but must be at least {SMALLEST_EDGE}; "
                "for megapixels set resolution_type to area"
            )
        if self.resolution_type == "area" and self.resolution > LARGEST_AREA:
            raise ValueError(
                f"resolution is {self.resolution:g} megapixels but at most {LARGEST_AREA} are possible; "
                "for pixels set resolution_type to pixel_area"
            )
        return self

    @property
    def effective_batch_size(self) -> int:
        return self.train_batch_size * self.num_processes * self.gradient_accumulation_steps

    @property
    def validation_prompts(self) -> tuple[str, ...]:
        """The validation prompts in their fixed order: the single one first, then the library's."""
        single = (self.validation_prompt,) if self.validation_prompt else ()
        return single + tuple((self.user_prompt_library or {}).values())
