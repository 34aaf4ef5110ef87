"""What is trained: the family, its weights, and the number format of the computation."""

from typing import Any, Literal

from domain.config.options import Group, Part, option
from domain.families.registry import FAMILIES

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
    "wan",
    "ltxvideo",
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


DISCRETE_FAMILIES = tuple(key for key, each in FAMILIES.items() if each.objective in ("epsilon", "v_prediction"))
"""Those on the discrete noise schedule of DDPM."""

FLOW_FAMILIES = tuple(key for key in FAMILIES if key not in DISCRETE_FAMILIES)
"""Those that learn a flow."""

UNET_FAMILIES = ("sd1x", "sd2x", "sdxl", "kolors", "deepfloyd")


class ModelOptions(Part):
    group = Group("model", "Model", "Which base model is trained, and what of it.")

    model_family: ModelFamily = option(
        label="Model family",
        help="The architecture to train.",
        spellings={
            "sd15": "sd1x",
            "sd20": "sd2x",
            "pixart_sigma": "pixart",
            "cosmos2image": "cosmos",
            "kandinsky5-image": "kandinsky5_image",
        },
    )
    model_flavour: str | None = option(
        None,
        label="Flavour",
        help="Which published weights of the family to start from. Leave empty for the family's usual one, or when you give a path of your own.",
        aliases=["model_flavor"],
    )
    pretrained_model_name_or_path: str | None = option(
        None,
        label="Base model",
        kind="path",
        help="A folder in diffusers format, or a name on the Hugging Face Hub. Replaces the flavour's own weights.",
    )
    revision: str | None = option(
        None, label="Revision", advanced=True, help="Branch, tag or commit of the base model on the Hub."
    )
    variant: str | None = option(
        None,
        label="Weights variant",
        advanced=True,
        help="Which file variant to load, for example fp16, when the base model offers several.",
    )
    merge_environment_config: bool = option(
        False,
        label="Use environment defaults",
        help="Take over what the environment named default says, where this one says nothing.",
    )
    model_type: Literal["lora", "full"] = option(
        "lora",
        label="What to train",
        help="lora trains a small adapter beside the frozen base model; full changes all of its weights.",
    )
    prediction_type: Literal["epsilon", "v_prediction", "sample", "flow_matching"] | None = option(
        None,
        label="Prediction type",
        advanced=True,
        usable=["epsilon", "v_prediction"],
        help="What the denoiser predicts. Leave empty to use what the base model's scheduler says, which is nearly always right.",
    )
    mixed_precision: Literal["no", "fp16", "bf16", "fp8"] = option(
        "bf16",
        label="Mixed precision",
        usable=["no", "fp16", "bf16"],
        help="Number format of the computation on a GPU. On the CPU everything is computed in fp32.",
    )
    disable_tf32: bool = option(
        False,
        label="No TF32",
        advanced=True,
        help="Multiply fp32 matrices at full width instead of in the faster TF32 format of newer NVIDIA GPUs.",
    )
    pretrained_transformer_model_name_or_path: str | None = option(
        None,
        label="Transformer",
        advanced=True,
        kind="path",
        help="Takes only the transformer from another place than the rest of the base model: a folder or owner/name on the Hub.",
    )
    pretrained_transformer_subfolder: str = option(
        "transformer",
        label="Folder of the transformer",
        advanced=True,
        help="Where in that place the transformer lies. Empty: not in a folder of its own.",
    )
    pretrained_unet_model_name_or_path: str | None = option(
        None,
        label="UNet",
        advanced=True,
        kind="path",
        help="Takes only the UNet from another place than the rest of the base model: a folder or owner/name on the Hub.",
    )
    pretrained_unet_subfolder: str = option(
        "unet",
        label="Folder of the UNet",
        advanced=True,
        help="Where in that place the UNet lies. Empty: not in a folder of its own.",
    )
    pretrained_vae_model_name_or_path: str | None = option(
        None,
        label="VAE",
        advanced=True,
        kind="path",
        help="Takes the VAE from another place, for example one of SDXL that does not overflow in fp16: a folder or owner/name on the Hub, of a VAE or of a whole model.",
    )
    pretrained_t5_model_name_or_path: str | None = option(
        None,
        label="T5",
        advanced=True,
        later=True,
        kind="path",
        help="Takes the T5 text encoder from another place, so that several families can share one download.",
    )
    pretrained_gemma_model_name_or_path: str | None = option(
        None,
        label="Gemma",
        advanced=True,
        later=True,
        kind="path",
        families=["lumina2", "sana"],
        help="Takes the Gemma text encoder from another place.",
    )
    qwen_text_encoder_model_name_or_path: str | None = option(
        None,
        label="Qwen text encoder",
        advanced=True,
        later=True,
        kind="path",
        help="Takes the Qwen text encoder from another place.",
    )
    trust_remote_code: bool = option(
        False,
        label="Run the model's code",
        advanced=True,
        later=True,
        help="Run Python files that come with the base model, on the machine that trains. Only for authors you trust.",
    )
    controlnet: bool = option(
        False,
        label="ControlNet",
        advanced=True,
        later=True,
        decisive=True,
        help="Train a ControlNet beside the base model, from pictures paired with their conditions.",
    )
    control: bool = option(
        False,
        label="Control channels",
        advanced=True,
        later=True,
        decisive=True,
        help="Give the condition to the denoiser as further input channels instead of training a ControlNet.",
    )
    controlnet_model_name_or_path: str | None = option(
        None,
        label="ControlNet to begin with",
        advanced=True,
        later=True,
        kind="path",
        requires={"controlnet": True},
        help="Weights of a ControlNet to go on from, instead of a copy of the base model's own layers.",
    )
    controlnet_custom_config: dict[str, Any] | str | None = option(
        None,
        label="ControlNet's shape",
        advanced=True,
        later=True,
        may_be_file=True,
        requires={"controlnet": True},
        help="Settings of a new ControlNet, for example how many of the base model's layers it has.",
    )
    fused_qkv_projections: bool = option(
        False,
        label="Fused projections",
        advanced=True,
        later=True,
        aliases=["fuse_qkv_projections"],
        help="Compute query, key and value of attention in one multiplication, where the family knows how.",
    )
    unet_attention_slice: bool = option(
        False,
        label="Sliced attention",
        advanced=True,
        later=True,
        families=UNET_FAMILIES,
        help="Compute attention in slices: less memory, and much slower.",
    )
    rescale_betas_zero_snr: bool = option(
        False,
        label="Zero terminal SNR",
        advanced=True,
        families=DISCRETE_FAMILIES,
        help="Change the noise schedule so that its last step is pure noise, for darker darks and brighter lights.",
    )
    tread_config: dict[str, Any] | None = option(
        None,
        label="Token routing",
        advanced=True,
        later=True,
        families=[
            *("auraflow", "chroma", "cosmos", "ernie", "flux", "flux2", "hidream", "kandinsky5_image", "pixart"),
            *("qwen_image", "sana", "sd3"),
        ],
        help="Lets a share of the tokens skip layers while training, which is faster: a JSON object with routes.",
    )
