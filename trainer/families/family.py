"""The seam between the training loop and a model family: everything that differs between architectures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from PIL import Image
from torch import Tensor, nn

from domain.config.training import TrainingConfig
from trainer.families.arrivals import Arrivals
from trainer.families.comfyui import ComfyNames
from trainer.families.weights import WeightDigests, digest_of
from trainer.objective import Schedule

TextEmbeds = dict[str, Tensor]
"""What the text encoders make of one caption, by name, without a batch dimension; or of a batch, with one.

Of captions with different numbers of tokens, the shorter ones are filled up with zeros at the end; a family that has such
captions keeps a mask beside them, which is then zero there.
"""

Conditions = dict[str, Tensor]
"""All that the denoiser is told besides noisy latents and timesteps, by name, with a batch dimension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """The pretrained weights a run starts from, and how to hold them. digests: what is remembered of them; None: nothing.
    arrivals: who is told how far they have come."""

    source: str
    config: TrainingConfig
    device: torch.device
    dtype: torch.dtype
    digests: WeightDigests | None = None
    arrivals: Arrivals | None = None

    def digest_of(self, module: nn.Module) -> str:
        """Of a part of it, as it was loaded."""
        return digest_of(module) if self.digests is None else self.digests.of(module)

    @property
    def is_apart(self) -> bool:
        """Nothing is on the device before it is needed there."""
        return self.config.offload_during_startup and has_own_memory(self.device)


def has_own_memory(device: torch.device) -> bool:
    """Other than main memory, which Apple's GPUs share with the processor."""
    return device.type not in ("cpu", "mps")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedLayers:
    """Blocks, from which to which share of the steps they are left out of a further pass, and how strongly it counts."""

    blocks: tuple[int, ...]
    start: float
    stop: float
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One validation image to make; width and height in pixels. num_frames: of families with VideoFacts, more than one
    for a video. beginning: the picture that a video is made of, of the same size, in flavours that do so.

    sampler: a value of validation_noise_scheduler; None: as the base model says. guidance_real: of models that have
    guidance distilled into them, the strength of a second pass with the negative prompt; 1 is none. noise_from: the
    device whose generator makes the noise.
    """

    prompt: str
    negative_prompt: str
    seed: int
    width: int
    height: int
    num_inference_steps: int
    guidance: float
    guidance_real: float
    guidance_rescale: float = 0.0
    skipped_layers: SkippedLayers | None = None
    sampler: str | None = None
    noise_from: str = "cpu"
    num_frames: int = 1
    beginning: Image.Image | None = None

    @property
    def guidance_by_second_pass(self) -> float:
        """For models without distilled guidance: the strength that was given for a second pass, or else the usual one."""
        return self.guidance_real if self.guidance_real > 1 else self.guidance


class ModelFamily(ABC):
    """A loaded base model of one family.

    encode_captions: where text encoders are trained, it gives what predict encodes.
    comfy_names: of its layers in files for ComfyUI; None where ComfyUI has no such family.
    denoiser: the network that is trained. text_identity, latents_identity: digests of what makes text embeds and
    latents; they change whenever the encodings would.
    """

    comfy_names: ClassVar[ComfyNames | None] = None
    denoiser: nn.Module
    _pipeline: Any
    schedule: Schedule
    text_identity: str
    latents_identity: str

    @classmethod
    @abstractmethod
    def load(cls, base: BaseModel) -> Self:
        """Raises TrainingError when the weights are missing or of another family."""

    @abstractmethod
    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]: ...

    @abstractmethod
    def encode_pictures(self, pixels: Tensor) -> Tensor:
        """pixels: (batch, 3, height, width) from -1 to 1. Returns latents as the denoiser takes them."""

    def encode_videos(self, pixels: Tensor) -> Tensor:
        """Of families with VideoFacts: latents, (batch, channels, latent frames, ...), of which pictures have one.

        pixels: (batch, 3, frames, height, width) from -1 to 1; frames: as VideoFacts.fitting says.
        """
        raise TypeError(f"{type(self).__name__} makes pictures and reads no videos")

    def encode_beginnings(self, pixels: Tensor) -> dict[str, Tensor]:
        """What the denoiser is told of the first frame of videos, by name, with a batch dimension; nothing, but in
        flavours that make videos of pictures. pixels: as encode_videos takes them."""
        return {}

    def conditions(self, text_embeds: TextEmbeds, *, geometry: Tensor, seeds: Sequence[int]) -> Conditions:
        """What a batch is told to the denoiser: text embeds, and what some families add to them.

        text_embeds: with what encode_beginnings gave beside them.
        geometry: (batch, 6), see trainer.data.encoding.geometry_of. seeds: of each sample, for what is drawn at random.
        """
        return text_embeds

    @abstractmethod
    def predict(self, noisy: Tensor, timesteps: Tensor, conditions: Conditions) -> Tensor:
        """What the denoiser says of noisy latents, in their shape; timesteps: (batch,), as the schedule draws them."""

    def penalty(self) -> Tensor | None:
        """What counts as loss beside the errors of the last prediction, one number for its batch; None for most families."""
        return None

    @abstractmethod
    def draw(self, drawing: Drawing) -> Image.Image:
        """A picture by the family's diffusers pipeline."""

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        """The same of a video; a picture is one of one frame."""
        return [self.draw(drawing)]

    @property
    def pipeline(self) -> Any:
        """The family's diffusers pipeline, of which the denoiser is a part."""
        return self._pipeline

    def text_encoders(self) -> dict[str, nn.Module]:
        """By their names in the pipeline."""
        parts: dict[str, Any] = self._pipeline.components
        return {name: part for name, part in parts.items() if name.startswith("text_encoder") and part is not None}

    @property
    def denoiser_part(self) -> str:
        """What the denoiser is called in the pipeline, and its folder in the diffusers layout."""
        parts: dict[str, object] = self._pipeline.components
        return next(name for name, part in parts.items() if part is self.denoiser)

    @property
    def lora_part(self) -> str:
        """What it is called in the files of adapters that the pipeline loads."""
        return self.denoiser_part

    @property
    def lora_loading(self) -> Mapping[str, bool]:
        """What has to be said to the pipeline's load_lora_weights, besides the file."""
        return {}
