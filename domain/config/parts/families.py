"""What only some families have."""

from typing import Literal

from domain.config.options import Group, Part, option


class FamilyOptions(Part):
    group = Group("family", "Of the family", "What only some model families have.")

    framerate: int | None = option(
        None,
        label="Frame rate",
        advanced=True,
        ge=1,
        le=120,
        unit="frames per second",
        families=["wan", "ltxvideo"],
        help="Bring videos to it by time before clips are taken, and play validation videos so fast. Empty: clips have the frames of "
        "the file one after another, and validation videos play as the model was made.",
    )
    flux_lora_target: Literal[
        "all",
        "mmdit",
        "context",
        "context+ffs",
        "all+ffs",
        "ai-toolkit",
        "tiny",
        "nano",
        "controlnet",
        "all+ffs+embedder",
        "all+ffs+embedder+controlnet",
    ] = option(
        "all",
        label="Adapted layers",
        advanced=True,
        later=True,
        families=["flux"],
        model_types=["lora"],
        help="Which layers get an adapter: all is attention everywhere; ffs adds the feed-forward layers; tiny and nano take one or two blocks.",
    )
    flux_guidance_mode: Literal["constant", "random-range"] = option(
        "constant",
        label="Guidance in training",
        advanced=True,
        families=["flux", "flux2"],
        help="The guidance that the model is told while training: always the same, or drawn from a range.",
    )
    flux_guidance_value: float = option(
        1.0,
        label="Its value",
        advanced=True,
        ge=0,
        families=["flux", "flux2"],
        requires={"flux_guidance_mode": "constant"},
        help="1 keeps the model's own guidance intact.",
    )
    flux_guidance_min: float = option(
        0.0,
        label="From",
        advanced=True,
        ge=0,
        families=["flux", "flux2"],
        requires={"flux_guidance_mode": "random-range"},
        help="Smallest guidance drawn.",
    )
    flux_guidance_max: float = option(
        4.0,
        label="To",
        advanced=True,
        ge=0,
        families=["flux", "flux2"],
        requires={"flux_guidance_mode": "random-range"},
        help="Largest guidance drawn.",
    )
    flux_fast_schedule: bool = option(
        False,
        label="Steps of schnell",
        advanced=True,
        families=["flux"],
        help="Train on the few noise levels that the fast flavour draws with.",
    )
    flux_attention_masked_training: bool = option(
        False,
        label="Mask padding",
        advanced=True,
        families=["flux"],
        help="Keep the padding of captions out of attention.",
    )
    t5_padding: Literal["unmodified", "zero"] = option(
        "unmodified",
        label="Padding of T5",
        advanced=True,
        families=["flux", "sd3", "chroma", "pixart", "hidream"],
        help="Leave what T5 makes of padding, or train with zeros in its place. Validation pictures are drawn as diffusers reads prompts.",
    )
    sd3_clip_uncond_behaviour: Literal["empty_string", "zero"] = option(
        "empty_string",
        label="Empty caption by CLIP",
        advanced=True,
        families=["sd3"],
        help="What stands for no caption in training: an empty text, or zeros. Validation pictures are drawn as diffusers does, with an empty text.",
    )
    sd3_t5_uncond_behaviour: Literal["empty_string", "zero"] | None = option(
        None,
        label="Empty caption by T5",
        advanced=True,
        families=["sd3"],
        help="The same for T5. Empty: as for CLIP.",
    )
    hidream_use_load_balancing_loss: bool = option(
        False,
        label="Balance the experts",
        advanced=True,
        families=["hidream"],
        help="Add a loss that keeps the experts of the model equally busy.",
    )
    hidream_load_balancing_loss_weight: float | None = option(
        None,
        label="Weight of the balance",
        advanced=True,
        ge=0,
        families=["hidream"],
        requires={"hidream_use_load_balancing_loss": True},
        help="How much that loss counts. Empty: 0.01, as diffusers weighs it.",
    )
    sana_complex_human_instruction: str | None = option(
        None,
        label="Instruction",
        advanced=True,
        kind="long_text",
        families=["sana"],
        help="What Gemma is told to do with a caption, in training and in validation pictures. Empty: what Sana was trained with.",
    )
    krea2_reference_latents: bool = option(
        False,
        label="Reference pictures",
        advanced=True,
        later=True,
        families=["krea2"],
        help="Show the model paired pictures beside the noise.",
    )
    sdxl_refiner_uses_full_range: bool = option(
        False,
        label="Refiner on everything",
        advanced=True,
        later=True,
        families=["sdxl"],
        help="Train the refiner on the whole schedule.",
    )
    ideogram_auto_json: bool = option(
        True,
        label="Captions as JSON",
        advanced=True,
        later=True,
        families=["ideogram"],
        help="Bring plain captions to the form that the model was trained with.",
    )
    ideogram_schedule_mu: float = option(
        0.0,
        label="Middle of the draw",
        advanced=True,
        later=True,
        families=["ideogram"],
        help="Mean of the normal distribution that timesteps are drawn from.",
    )
    ideogram_schedule_std: float = option(
        1.5,
        label="Spread of the draw",
        advanced=True,
        later=True,
        gt=0,
        families=["ideogram"],
        help="Its standard deviation.",
    )
    custom_text_encoder_intermediary_layers: list[int] | None = option(
        None,
        label="Layers of the text encoder",
        advanced=True,
        families=["flux2"],
        help="From which layers captions are read, in validation pictures too; as many as the model reads, three for the published ones. Empty: as it was trained.",
    )
