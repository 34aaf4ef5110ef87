"""From captions and pictures to text embeds and latents: by which key the cache has them, and how they are made.

An encoding depends on its key alone, whichever process makes it and whatever else is made with it. Kernels add up in
another order for a batch of another size, and some tokenizers fill captions up to the longest of a batch. So captions are
encoded one by one, and pictures in batches of always the same size, which is a part of their key; clips one by one, for
memory's sake.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import diffusers
import torch
from PIL import Image
from torch import Tensor

from domain.config.buckets import Placement
from trainer.data.cache import key_of
from trainer.data.reading import Seen
from trainer.data.videos import Clip
from trainer.errors import TrainingError
from trainer.families.family import TextEmbeds

ENCODING_FORMAT = 4
"""Raised whenever this code would encode the same input differently."""

LATENTS = "latents"
MASK = "mask"
MASK_EDGE = 8
"""Of masks, squares of so many pixels become one number. Latents are as coarse, or so many times as coarse."""

Encoded = Mapping[str, Tensor]
"""Of a picture or a clip, by name: its latents, and what the denoiser is told of it besides."""

Item = TypeVar("Item")


class EncodingFamily(Protocol):
    """What a ModelFamily is for encodings."""

    text_identity: str
    latents_identity: str

    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]: ...

    def encode_pictures(self, pixels: Tensor) -> Tensor: ...

    def encode_videos(self, pixels: Tensor) -> Tensor: ...

    def encode_beginnings(self, pixels: Tensor) -> dict[str, Tensor]: ...


class Encoder:
    """batch_size: pictures encoded at once."""

    def __init__(self, family: EncodingFamily, *, batch_size: int, device: torch.device) -> None:
        self._family = family
        self._device = device
        self._batch_size = batch_size

    def num_at_once(self, *, is_clip: bool) -> int:
        return 1 if is_clip else self._batch_size

    def text_key(self, caption: str) -> str:
        return key_of(
            kind="text",
            format=ENCODING_FORMAT,
            device=self._device.type,
            encoder=self._family.text_identity,
            caption=caption,
        )

    def latents_key(self, digest: str, placement: Placement) -> str:
        """digest: of the file's content. An autoencoder is its weights, and the code of diffusers that computes with them."""
        frames = placement.frames
        of_clip = {} if frames is None else {"frames": str((frames.first, frames.num, frames.rate))}
        return key_of(
            kind=LATENTS,
            format=ENCODING_FORMAT,
            device=self._device.type,
            encoder=self._family.latents_identity,
            library=diffusers.__version__,
            batch_size=self.num_at_once(is_clip=placement.frames is not None),
            picture=digest,
            region=str(tuple(placement.region)),
            size=str(tuple(placement.target)),
            **of_clip,
        )

    def encode_caption(self, caption: str) -> TextEmbeds:
        """On the CPU."""
        embeds = {name: tensor.cpu() for name, tensor in self._family.encode_captions([caption])[0].items()}
        for tensor in embeds.values():
            _refuse_no_numbers(tensor, f"the caption {caption[:80]!r}", "text encoder")
        return embeds

    def encode(self, seen: Sequence[Seen]) -> list[Encoded]:
        """No more than are encoded at once, all of one shape. On the CPU: latents, and of clips what is told of their
        beginning."""
        pictures = [each for each in seen if isinstance(each, Image.Image)]
        if pictures:
            filling = [pictures[-1]] * (self._batch_size - len(pictures))
            pixels = torch.stack([to_pixels(picture) for picture in (*pictures, *filling)])
            encoded = {LATENTS: self._family.encode_pictures(pixels)}
        else:
            pixels = torch.stack([_clip_to_pixels(clip) for clip in seen if not isinstance(clip, Image.Image)])
            encoded = {LATENTS: self._family.encode_videos(pixels), **self._family.encode_beginnings(pixels)}
        for each in encoded.values():
            _refuse_no_numbers(each, "a picture" if pictures else "a video", "autoencoder")
        return [{name: each[place].cpu() for name, each in encoded.items()} for place in range(len(seen))]


def _refuse_no_numbers(tensor: Tensor, what: str, part: str) -> None:
    """Before they are kept and spoil every run. Raises TrainingError."""
    if not torch.isfinite(tensor).all():
        raise TrainingError(
            f"the {part} of the base model makes nan or inf of {what}; its weights are damaged, or mixed_precision fp16 is too "
            "narrow for it: set that to bf16, or fetch the base model again"
        )


def mask_key(digest: str, placement: Placement) -> str:
    """digest: of the mask's content. It depends on no model."""
    return key_of(
        kind=MASK,
        format=ENCODING_FORMAT,
        picture=digest,
        region=str(tuple(placement.region)),
        size=str(tuple(placement.target)),
    )


def encode_mask(picture: Image.Image) -> Mapping[str, Tensor]:
    """(height/8, width/8) from 0 for black to 1 for white."""
    pixels = to_pixels(picture.convert("L").convert("RGB"))[:1] / 2 + 0.5
    return {MASK: torch.nn.functional.avg_pool2d(pixels, MASK_EDGE)[0]}


def chunks(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def to_pixels(picture: Image.Image) -> Tensor:
    """(3, height, width) from -1 to 1."""
    values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    return values.view(picture.height, picture.width, 3).permute(2, 0, 1).float() / 127.5 - 1


def _clip_to_pixels(clip: Clip) -> Tensor:
    """(3, frames, height, width) from -1 to 1; one frame after another, so that there is no second copy of it."""
    pixels = torch.empty(3, len(clip), clip[0].height, clip[0].width)
    for number, frame in enumerate(clip):
        pixels[:, number] = to_pixels(frame)
    return pixels


def geometry_of(placement: Placement) -> Tensor:
    """Where a picture that is trained on comes from, as SDXL is told it (Podell et al. 2023, arXiv:2307.01952).

    (6,): height and width of the upright picture, top and left of the cut in the picture scaled to cover it, height and
    width of the cut; all in pixels.
    """
    original, target = placement.original, placement.target
    cut = (placement.crop_top, placement.crop_left)
    return torch.tensor([original.height, original.width, *cut, target.height, target.width], dtype=torch.float32)
