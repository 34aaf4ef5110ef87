"""Where the parts of a pipeline are that no step of training needs: on the device while something is made with them."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal

import torch
from PIL import Image
from torch import Tensor, nn

from trainer.families.family import Drawing, ModelFamily, TextEmbeds, has_own_memory

Kind = Literal["text", "pictures", "drawing"]
KINDS: tuple[Kind, ...] = ("text", "pictures", "drawing")
"""Text encoders; the autoencoder; other denoisers, which only drawings ask for."""


class Parts:
    """A family whose text encoders and autoencoder wait in main memory until they are needed, unless they are trained.

    They come when captions, pictures or drawings ask for them, and go by rest(). Their weights stay in main memory also
    meanwhile, so that going costs nothing. Where the device has no memory of its own, nothing is ever moved.
    """

    def __init__(
        self,
        family: ModelFamily,
        trained: Sequence[nn.Module],
        *,
        device: torch.device,
        are_apart: bool,
        keeps_autoencoder: bool = False,
    ) -> None:
        """trained: the networks that every step needs. are_apart: everything is in main memory yet, see BaseModel.is_apart.
        keeps_autoencoder: it stays on the device once steps have begun."""
        self._family = family
        self._trained = trained
        self._device = device
        self._groups: dict[Kind, list[nn.Module]] = {kind: [] for kind in KINDS}
        if has_own_memory(device):
            text_encoders = family.text_encoders()
            for name, part in family.pipeline.components.items():
                if isinstance(part, nn.Module) and all(part is not each for each in trained):
                    is_denoiser = isinstance(part, type(family.denoiser))
                    self._groups["text" if name in text_encoders else "drawing" if is_denoiser else "pictures"].append(
                        part
                    )
        self._awake: set[Kind] = set() if are_apart else set(KINDS)
        self._are_apart = are_apart
        self._keeps_autoencoder = keeps_autoencoder
        self._staying: set[Kind] = set()
        self._kept: dict[nn.Module, dict[str, Tensor]] = {}
        self.text_identity = family.text_identity
        self.latents_identity = family.latents_identity

    def encode_captions(self, captions: Sequence[str]) -> list[TextEmbeds]:
        self._need("text")
        return self._family.encode_captions(captions)

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        self._need("pictures")
        return self._family.encode_pictures(pixels)

    def encode_videos(self, pixels: Tensor) -> Tensor:
        self._need("pictures")
        return self._family.encode_videos(pixels)

    def encode_beginnings(self, pixels: Tensor) -> dict[str, Tensor]:
        self._need("pictures")
        return self._family.encode_beginnings(pixels)

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        """The text encoders go when a denoiser is asked for the first time: prompts are encoded by then."""
        for kind in KINDS:
            self._wake(kind)
        denoisers = (self._family.denoiser, *self._groups["drawing"])
        leaving = [each.register_forward_pre_hook(lambda *_: self._send_away("text")) for each in denoisers]
        try:
            return self._family.draw_frames(drawing)
        finally:
            for hook in leaving:
                hook.remove()
            self.rest()

    def begin(self) -> None:
        """Encoding is over, and steps begin: what is trained comes to the device, and the others rest."""
        self.rest()
        if self._are_apart:
            for module in self._trained:
                module.to(self._device)
        self._are_apart = False
        if self._keeps_autoencoder:
            self._wake("pictures")
            self._staying.add("pictures")

    def rest(self) -> None:
        for kind in KINDS:
            if kind not in self._staying:
                self._send_away(kind)

    def _need(self, kind: Kind) -> None:
        if self._are_apart and kind not in self._awake:
            self.rest()
        self._wake(kind)

    def _wake(self, kind: Kind) -> None:
        if kind in self._awake:
            return
        for module in self._groups[kind]:
            self._keep(module)
            module.to(self._device)
        self._awake.add(kind)

    def _send_away(self, kind: Kind) -> None:
        if kind not in self._awake:
            return
        for module in self._groups[kind]:
            kept = self._keep(module)
            for name, tensor in _tensors(module):
                tensor.data = kept[name]
        self._awake.remove(kind)
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()

    def _keep(self, module: nn.Module) -> dict[str, Tensor]:
        """Its weights in main memory: they never change, so one copy serves for ever."""
        if module not in self._kept:
            self._kept[module] = {name: tensor.data.cpu() for name, tensor in _tensors(module)}
        return self._kept[module]


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return chain(module.named_parameters(), module.named_buffers())
