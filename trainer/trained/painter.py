"""What validation draws with: the last weights, their average, or both, with other adapters or without, side by side."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import product
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from domain.config.training import TrainingConfig
from trainer.circle import Circle
from trainer.families.family import Drawing
from trainer.families.parts import Parts
from trainer.trained.average import Average, replaced
from trainer.trained.companions import Companions
from trainer.trained.trained import Trained

SHOWN: dict[str, tuple[Literal["last", "average"], ...]] = {
    "none": ("last",),
    "ema_only": ("average",),
    "comparison": ("last", "average"),
}
"""By value of ema_validation, from left to right."""


class Painter:
    """average: in the main process of a run that has one."""

    def __init__(
        self,
        parts: Parts,
        trained: Trained,
        average: Average | None,
        companions: Companions,
        config: TrainingConfig,
    ) -> None:
        self._parts = parts
        self._trained = trained
        self._companions = companions
        self._average = average
        self._shown = SHOWN[config.ema_validation if config.use_ema else "none"]
        self._averaged: Sequence[Tensor] = ()

    @contextmanager
    def among(self, circle: Circle) -> Iterator[None]:
        """While several processes draw: those that keep no average are given the main one's."""
        if "average" in self._shown:
            own = self._average.weights if self._average else None
            self._averaged = circle.told_tensors(own, like=self._trained.parameters)
        try:
            yield
        finally:
            self._averaged = ()

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        """What diffusers makes of the saved weights, a picture having one frame; only among processes that draw."""
        made = []
        for shown, strengths in product(self._shown, self._companions.looks):
            with (
                self._companions.shown(strengths),
                replaced(self._trained.parameters, self._averaged) if shown == "average" else nullcontext(),
                self._trained.as_inference_sees_it(),
                torch.compiler.set_stance("force_eager"),  # as diffusers draws
            ):
                made.append(self._parts.draw_frames(drawing))
        return [_side_by_side(frames) for frames in zip(*made, strict=True)]


def _side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    if len(images) == 1:
        return images[0]
    sheet = Image.new("RGB", (sum(image.width for image in images), images[0].height))
    for index, image in enumerate(images):
        sheet.paste(image, (index * image.width, 0))
    return sheet
