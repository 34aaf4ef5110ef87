"""Pictures made while a run goes on."""

from typing import Annotated, Any, Literal

from pydantic import Field

from domain.config.options import Group, Part, option
from domain.families.samplers import DIFFUSION_SAMPLERS, FLOW_SAMPLERS

Sampler = Literal[
    "ddim",
    "ddpm",
    "euler",
    "euler-a",
    "unipc",
    "dpm++",
    "perflow",
    "flow_match_euler",
    "flow_matching",
    "flow_unipc",
    "sana",
    "rectified_flow_ab2",
    "twinflow",
]


LayerIndex = Annotated[int, Field(ge=0)]


class ValidationOptions(Part):
    group = Group("validation", "Validation", "Pictures made during training, always from the same prompts and seeds.")

    validation_disable: bool = option(False, label="No validation", help="Make no pictures during training.")
    validation_prompt: str | None = option(
        None,
        label="Validation prompt",
        kind="long_text",
        help="What to draw at each validation. Use your trigger word.",
    )
    user_prompt_library: dict[str, str] | str | None = option(
        None,
        label="Prompt library",
        kind="named_texts",
        may_be_file=True,
        help="Several validation prompts, each with a short name.",
    )
    validation_prompt_library: bool = option(
        False,
        label="Built-in prompts",
        advanced=True,
        help="Also draw a set of prompts that comes with the trainer.",
    )
    validation_negative_prompt: str = option(
        "",
        label="Negative prompt",
        advanced=True,
        kind="long_text",
        help="What validation pictures should not show.",
    )
    validation_step_interval: int = option(
        100,
        label="Validate every",
        ge=1,
        unit="steps",
        aliases=["validation_steps"],
        help="Steps between validations. There is always one after the last step.",
    )
    validation_epoch_interval: int | None = option(
        None,
        label="Validate after epochs",
        advanced=True,
        ge=1,
        unit="epochs",
        help="Also validate whenever this many epochs are done.",
    )
    validate_after_step: int | None = option(
        None,
        label="Not before step",
        advanced=True,
        ge=0,
        help="No validation before this step, but for pictures of the base model.",
    )
    validate_after_epoch: int | None = option(
        None,
        label="Not before epoch",
        advanced=True,
        ge=0,
        help="No validation before this epoch, but for pictures of the base model.",
    )
    validation_on_startup: bool = option(
        False,
        label="Validate at every start",
        advanced=True,
        help="Make a set of pictures before the first step of every start, also when a run is resumed.",
    )
    disable_benchmark: bool = option(
        False,
        label="No pictures of the base model",
        advanced=True,
        help="Skip the pictures of the untrained model, which the later ones are compared with.",
    )
    validation_num_inference_steps: int = option(
        30,
        label="Inference steps",
        ge=1,
        le=1000,
        help="Denoising steps of each validation picture.",
    )
    validation_guidance: float = option(
        7.5,
        label="Guidance",
        ge=0,
        le=100,
        help="How strictly validation pictures follow their prompt.",
    )
    validation_guidance_real: float = option(
        1.0,
        label="Real guidance",
        advanced=True,
        ge=0,
        le=100,
        families=["flux", "flux2", "chroma", "qwen_image", "z_image"],
        help="Guidance by a second pass with the negative prompt, for models whose own guidance is distilled; 1 is off.",
    )
    validation_no_cfg_until_timestep: int = option(
        2,
        label="Guide from step",
        advanced=True,
        later=True,
        ge=0,
        families=["flux", "flux2"],
        help="Leave out the second pass in the first steps of a picture, which keeps its composition.",
    )
    validation_guidance_rescale: float = option(
        0.0,
        label="Rescale guidance",
        advanced=True,
        ge=0,
        le=1,
        families=["sdxl", "sd1x", "sd2x"],
        help="Take back the contrast that guidance adds; models with zero terminal SNR need about 0.7.",
    )
    validation_guidance_skip_layers: list[LayerIndex] | None = option(
        None,
        label="Skip layers",
        advanced=True,
        families=["sd3"],
        help="Blocks of the transformer, counted from 0, that are left out in a further pass, which guidance moves away from; for SD3.5 medium 7, 8 and 9 are usual. Empty: no further pass.",
    )
    validation_guidance_skip_layers_start: float = option(
        0.01,
        label="Skip from",
        advanced=True,
        ge=0,
        le=1,
        families=["sd3"],
        help="From which share of the steps on layers are skipped.",
    )
    validation_guidance_skip_layers_stop: float = option(
        0.2,
        label="Skip to",
        advanced=True,
        ge=0,
        le=1,
        families=["sd3"],
        help="Up to which share of the steps layers are skipped.",
    )
    validation_guidance_skip_scale: float = option(
        2.8,
        label="Strength of skipping",
        advanced=True,
        ge=0,
        families=["sd3"],
        help="How strongly guidance moves away from the pass with skipped layers.",
    )
    validation_noise_scheduler: Sampler | None = option(
        None,
        label="Sampler",
        advanced=True,
        usable=[*DIFFUSION_SAMPLERS, *FLOW_SAMPLERS],
        help="How validation pictures are denoised: those that begin with flow are for flow matching, the others for diffusion. Empty: as the base model says.",
    )
    validation_resolution: int | str | None = option(
        None,
        label="Validation resolution",
        kind="text",
        help="Edge length in pixels of validation pictures, or width x height such as 1280x768, several with commas. Empty: as in training.",
    )
    validation_num_video_frames: int | None = option(
        None,
        label="Frames of validation videos",
        ge=1,
        le=1000,
        unit="frames",
        families=["wan", "ltxvideo"],
        help="Rounded down to what the model makes; 1 is a picture. Empty: as many as the longest clip that is trained on.",
    )
    validation_seed: int = option(
        42,
        label="Validation seed",
        ge=0,
        lt=2**31,
        empty_is_default=True,
        help="The same seed at every validation makes the pictures comparable.",
    )
    num_validation_images: int = option(1, label="Pictures per prompt", ge=1, le=10, help="Each with the next seed.")
    validation_randomize: bool = option(
        False,
        label="Another seed each time",
        advanced=True,
        help="Other seeds at each validation, following from the validation seed and the step: the pictures of two steps cannot be compared.",
    )
    validation_seed_source: Literal["cpu", "gpu"] = option(
        "cpu",
        label="Draw noise on",
        advanced=True,
        help="cpu gives the same pictures on every machine; gpu draws it where the model is, as diffusers does when it is given a generator of that device.",
    )
    validation_disable_unconditional: bool = option(
        False,
        label="No picture without prompt",
        advanced=True,
        later=True,
        moot="no picture is made from an empty prompt",
        help="Leave out the picture made from an empty prompt.",
    )
    validation_image_format: Literal["png", "webp", "jpeg"] = option(
        "png", label="File format", advanced=True, help="png keeps every pixel; the others are smaller."
    )
    validation_image_quality: int = option(
        90,
        label="Quality",
        advanced=True,
        ge=1,
        le=100,
        requires={"validation_image_format": ["webp", "jpeg"]},
        help="Smaller numbers make smaller files.",
    )
    validation_multigpu: Literal["batch-parallel", "single-gpu"] = option(
        "batch-parallel",
        label="With several GPUs",
        advanced=True,
        help="batch-parallel: each GPU makes its share of the pictures. single-gpu: the first one makes all, while the others wait.",
    )
    validation_preview: bool = option(
        False,
        label="Show unfinished pictures",
        advanced=True,
        later=True,
        help="Show how a picture comes out of the noise, where the family has a small decoder.",
    )
    validation_preview_steps: int = option(
        1,
        label="Show every",
        advanced=True,
        later=True,
        ge=1,
        requires={"validation_preview": True},
        help="Denoising steps between two of them.",
    )
    validation_using_datasets: bool | None = option(
        None,
        label="Begin with training pictures",
        advanced=True,
        later=True,
        help="Begin validation pictures with pictures of the datasets, for models that edit.",
    )
    validation_input: list[Any] | dict[str, Any] | str | None = option(
        None,
        label="Pictures to begin with",
        advanced=True,
        later=True,
        may_be_file=True,
        help="Pictures that validation begins with, for models that edit.",
    )
    validation_stitch_input_location: Literal["left", "right"] = option(
        "left",
        label="Show the beginning",
        advanced=True,
        later=True,
        help="On which side the picture that was edited stands beside the result.",
    )
    validation_lycoris_strength: float = option(
        1.0,
        label="Strength of LyCORIS",
        advanced=True,
        ge=0,
        requires={"lora_type": "lycoris"},
        help="How strongly the LyCORIS adapter counts in validation pictures: the multiplier that it would be loaded with.",
    )
    validation_adapter_path: str | None = option(
        None,
        label="Another adapter",
        advanced=True,
        model_types=["lora"],
        kind="path",
        help="A further adapter for validation pictures alone, to see how both go together: a file or folder, or owner/name or owner/name:file on the Hub.",
    )
    validation_adapter_name: str | None = option(
        None,
        label="Name of the other adapter",
        advanced=True,
        later=True,
        help="What the other adapter is called in captions of pictures.",
    )
    validation_adapter_strength: float = option(
        1.0,
        label="Strength of the other adapter",
        advanced=True,
        model_types=["lora"],
        ge=0,
        help="How strongly the other adapter counts.",
    )
    validation_adapter_mode: Literal["adapter_only", "comparison", "none"] = option(
        "adapter_only",
        label="When the other adapter counts",
        advanced=True,
        model_types=["lora"],
        help="adapter_only: in every picture. comparison: each picture is shown without it and, to the right, with it. none: never.",
    )
    validation_adapter_config: list[Any] | dict[str, Any] | str | None = option(
        None,
        label="Several adapters",
        advanced=True,
        later=True,
        may_be_file=True,
        help="Sets of adapters with their strengths, each of which gets its own pictures.",
    )
    validation_method: Literal["simpletuner-local", "external-script"] = option(
        "simpletuner-local",
        label="Made by",
        advanced=True,
        later=True,
        help="The trainer itself, or a script of yours.",
    )
    validation_external_script: str | None = option(
        None,
        label="Validation script",
        advanced=True,
        later=True,
        is_script=True,
        requires={"validation_method": "external-script"},
        help="The command that validates, with placeholders such as {local_checkpoint_path}.",
    )
    validation_external_background: bool = option(
        False,
        label="Do not wait for it",
        advanced=True,
        later=True,
        requires={"validation_method": "external-script"},
        help="Go on training while the script runs.",
    )
