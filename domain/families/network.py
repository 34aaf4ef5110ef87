"""What memory depends on in the networks of a family: how many parameters, and what their passes leave lying about.

Costs are peaks beside weights, gradients and the optimizer's state, for 16-bit mixed precision and attention that keeps
no score matrix. They are worked out from the classes in diffusers (tests/benchmarks/tracing.py) and linear in the size
of pictures and the length of captions, as every such network is.
"""

from dataclasses import dataclass
from typing import Literal

CountedBy = Literal["class", "publisher"]
"""class: by making the class in diffusers or transformers with the published configuration; a test does it again."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes for each pixel of a picture, for each token of its caption, and once for the whole batch."""

    pixel: float
    token: float
    once: int


@dataclass(frozen=True, slots=True)
class Blocks:
    """A list of equal blocks, which offloading moves one by one. parameters: of each."""

    count: int
    parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Denoiser:
    """linear: how many of the parameters are in linear layers, which are what quantising makes smaller.

    positions: numbers of a table that lies beside the parameters, in the same format, and is never trained.
    lora_width: parameters of a LoRA of rank 1 on the family's usual layers.
    plain, recomputed: a step that trains a LoRA, without and with gradient checkpointing; None where nobody knows.
    dropout_pixel: what dropout in the LoRA adds to plain, for each pixel. full, full_recomputed: how many times as much
    when all weights are trained. stored_bits: of a weight, where it is published in fewer than 16.
    """

    parameters: int
    linear: int
    blocks: tuple[Blocks, ...]
    lora_width: int
    plain: Cost | None
    recomputed: Cost | None
    dropout_pixel: float = 0.0
    full: float = 1.0
    full_recomputed: float = 1.0
    stored_bits: float | None = None
    positions: int = 0
    counted_by: CountedBy = "class"


@dataclass(frozen=True, slots=True)
class TextEncoder:
    name: str
    parameters: int
    counted_by: CountedBy = "class"


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """tokens, width: how many it makes of a picture, and how many numbers of each."""

    name: str
    parameters: int
    tokens: int
    width: int
    counted_by: CountedBy = "class"


@dataclass(frozen=True, slots=True)
class Clip:
    """Of a video of several frames: bytes for each pixel of its size, and as many again for each frame."""

    pixel: float
    frame: float

    def of(self, num_frames: int) -> float:
        return self.pixel + num_frames * self.frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """factor: how many pixels, in a row, one latent stands for. channels: of a latent.

    encode_pixel, decode_pixel: bytes for each pixel of a picture at the worst moment, in 16 bits. encode_clip,
    decode_clip: the same of videos, where it reads them.
    """

    name: str
    parameters: int
    factor: int
    channels: int
    encode_pixel: float
    decode_pixel: float
    encode_clip: Clip | None = None
    decode_clip: Clip | None = None
    counted_by: CountedBy = "class"

    def encoding(self, num_frames: int) -> float:
        """Bytes for each pixel of a frame's size, in 16 bits."""
        return self.encode_pixel if self.encode_clip is None or num_frames == 1 else self.encode_clip.of(num_frames)

    def decoding(self, num_frames: int) -> float:
        return self.decode_pixel if self.decode_clip is None or num_frames == 1 else self.decode_clip.of(num_frames)
