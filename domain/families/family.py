"""What is known about a model family before any weights are loaded.

Options are named as in config.json. Some that families speak of are not offered yet; what is said of them holds for
configurations that come from elsewhere, and for the trainer when it learns them.
"""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

Objective = Literal["epsilon", "v_prediction", "sample", "flow_matching"]


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """How many tokens of a caption the text encoders read; what is longer is cut.

    default: when nothing is said. largest, smallest: what the pipeline in diffusers takes.
    """

    default: int
    largest: int
    smallest: int = 1


@dataclass(frozen=True, slots=True)
class Setting:
    """An option that has this value by itself, because the weights were made so; reason: for people."""

    key: str
    value: bool | int | float
    reason: str


def drawn_with(guidance: float) -> Setting:
    return Setting("validation_guidance", guidance, "What its pipeline in diffusers takes unless it is told otherwise.")


def drawn_in(num_steps: int) -> tuple[Setting, Setting]:
    return (
        Setting("validation_num_inference_steps", num_steps, "Distilled to so few steps."),
        Setting("validation_guidance", 0.0, "Its guidance is distilled into it."),
    )


@dataclass(frozen=True, slots=True)
class Quantising:
    """Advice on keeping the frozen base model in fewer bits.

    verdict: suits: saves memory and costs little. loses: possible, but quality suffers more than it is worth. needed:
    hardly fits a GPU without. refused: impossible. reason: for people. refused: values of base_model_precision that
    the family never starts with. same_library: options that have to name the same library, or no_change.
    """

    verdict: Literal["suits", "loses", "needed", "refused"]
    reason: str
    refused: tuple[str, ...] = ()
    same_library: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flavour:
    """One set of published weights of a family. None where it is as in the family.

    repository: on the Hugging Face Hub. weight_bytes: of a weight in its files, those of no variant; None where nobody here
    knows. pipeline, objective, resolution, token_limit: see Family. terms: what has to be
    accepted on the Hub before the weights can be downloaded, None where no such thing is known. settings: options that
    it switches on by itself. needs_reference: it edits a picture, and cannot be trained without pictures to begin with.
    denoiser_folder: of weights with several denoisers, each for a part of the noise levels, the one that is trained.
    frame_rate: see VideoFacts.
    needs_first_frame: it makes a video of a picture, and is trained on videos alone: of each it is told the first frame.
    modelspec: see Family.
    is_distilled: to draw in a few steps, which training undoes.
    peculiarity: what it does that the trainer has no part for, in words that follow "which"; None for all others.
    """

    key: str
    name: str
    repository: str
    _: KW_ONLY
    pipeline: str | None = None
    objective: Objective | None = None
    resolution: int | None = None
    token_limit: TokenLimit | None = None
    terms: str | None = None
    weight_bytes: int | None = None
    settings: tuple[Setting, ...] = ()
    needs_reference: bool = False
    denoiser_folder: str | None = None
    frame_rate: int | None = None
    needs_first_frame: bool = False
    modelspec: str | None = None
    is_distilled: bool = False
    peculiarity: str | None = None

    @property
    def obstacle(self) -> str | None:
        """What keeps it from being trained today, in words that follow "which"; None for all others."""
        return "edits pictures" if self.needs_reference else self.peculiarity


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What a video is to a family. A picture is a video of one frame.

    frame_rate: frames in a second, as its pipeline makes them. frames_per_latent: one frame of latents stands for the
    first frame alone, and each further one for so many.
    """

    frame_rate: int
    frames_per_latent: int

    def fitting(self, num_frames: int) -> int:
        """The length of the longest clip that has no more frames: its autoencoder reads frames_per_latent * n + 1."""
        return (num_frames - 1) // self.frames_per_latent * self.frames_per_latent + 1

    def num_latent_frames(self, num_frames: int) -> int:
        return (num_frames - 1) // self.frames_per_latent + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """key: value of model_family.

    modality: what it makes. video: of those that make videos.
    parameters: how many, as its publishers count them; None where they do not say, a range where flavours differ.
    objective: what the denoiser predicts of a noisy picture.
    pipeline, denoiser: names of classes in diffusers; the denoiser is what is trained.
    lora_targets: names of the layers that get a LoRA when nothing is said.
    swaps_blocks: whether blocks of its denoiser can wait in RAM, which musubi_blocks_to_swap asks for.
    packages: Python packages that the pipeline needs to draw and that are not installed with this one.
    default_resolution: edge in pixels of the square pictures it was made for.
    alignment: edges of pictures are brought to multiples of this many pixels: what the pipeline demands, or coarser
    where training is used to that.
    max_pixels: width times height of the largest picture, None where nothing but memory limits it.
    token_limit: None where the text encoder reads captions of any length.
    needs_full_precision: it fails in 16 bits, so mixed_precision must be no.
    settings: options that every flavour switches on by itself.
    modelspec: what other programs call its architecture in files (https://github.com/Stability-AI/ModelSpec), where they know it.
    has_comfyui_names: lora_format can be comfyui; families that ComfyUI itself does not have, have none.
    diffusers_reads_comfyui: files with those names, and their alpha, are read by diffusers as well, of the usual layers.
    joined_in_comfyui: layers of an attention that ComfyUI has as one, which LyCORIS cannot be written for.
    refused_samplers: values of validation_noise_scheduler that its pipeline cannot take, of those for its objective.
    capabilities: the values of model_type that our trainer can train today; none: it is known, but cannot be trained.
    """

    key: str
    name: str
    modality: Literal["image", "video"] = "image"
    video: VideoFacts | None = None
    parameters: str | None
    objective: Objective
    pipeline: str
    denoiser: str
    lora_targets: tuple[str, ...] = ("to_k", "to_q", "to_v", "to_out.0")
    swaps_blocks: bool = False
    packages: tuple[str, ...] = ()
    flavours: tuple[Flavour, ...]
    default_flavour: str
    default_resolution: int
    alignment: int
    max_pixels: int | None = None
    token_limit: TokenLimit | None
    quantising: Quantising
    needs_full_precision: bool = False
    settings: tuple[Setting, ...] = ()
    modelspec: str | None = None
    has_comfyui_names: bool = False
    diffusers_reads_comfyui: bool = False
    joined_in_comfyui: str | None = None
    refused_samplers: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()

    def flavour(self, key: str | None) -> Flavour | None:
        """The flavour of that key, the default one for None; None when there is no such flavour."""
        wanted = key or self.default_flavour
        return next((flavour for flavour in self.flavours if flavour.key == wanted), None)

    def denoiser_folder(self, flavour: Flavour | None) -> str:
        """Where the denoiser lies in the diffusers layout; flavour: None for weights of one's own."""
        return (flavour and flavour.denoiser_folder) or ("unet" if "UNet" in self.denoiser else "transformer")

    def settings_with(self, flavour: Flavour | None) -> tuple[Setting, ...]:
        """What the family and a flavour switch on by themselves, each option once; the flavour has the last word."""
        by_key = {setting.key: setting for setting in (*self.settings, *(flavour.settings if flavour else ()))}
        return tuple(by_key.values())
