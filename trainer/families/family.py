"""The seam between the training loop and a model family: everything that differs between architectures."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar, Self

import torch
from PIL import Image
from torch import Tensor, nn

from trainer.objective import DiffusionSchedule, PredictionType

TextEmbeds = dict[str, Tensor]
"""What the text encoders make of one caption, by name, without a batch dimension; or of a batch, with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """The pretrained weights a run starts from, and how to hold them."""

    source: str
    revision: str | None
    variant: str | None
    prediction_type: PredictionType | None
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One validation image to make; edge in pixels."""

    prompt: str
    negative_prompt: str
    seed: int
    edge: int
    num_inference_steps: int
    guidance: float


class ModelFamily(ABC):
    """A loaded base model of one family.

    denoiser: the network that is trained. text_identity, latents_identity: digests of what makes text embeds and
    latents; they change whenever the encodings would.
    """

    lora_targets: ClassVar[tuple[str, ...]]
    denoiser: nn.Module
    schedule: DiffusionSchedule
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

    @abstractmethod
    def predict(self, noisy: Tensor, timesteps: Tensor, text_embeds: TextEmbeds) -> Tensor:
        """What the denoiser says of noisy latents, (batch, channels, height/8, width/8); timesteps: (batch,)."""

    @abstractmethod
    def draw(self, drawing: Drawing) -> Image.Image:
        """A picture by the family's diffusers pipeline and the base model's own scheduler, from a seed on the CPU."""

    @abstractmethod
    def save_adapter(self, folder: Path) -> Path:
        """Write the adapter into the folder as diffusers' load_lora_weights reads it; returns the file."""

    @abstractmethod
    def load_adapter(self, folder: Path) -> None:
        """Put back what save_adapter wrote. Raises TrainingError when it does not fit the adapter."""


def digest_of(module: nn.Module) -> str:
    """A digest of a module's weights."""
    digest = blake2b(digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
