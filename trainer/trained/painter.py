"""What validation draws with: the last weights, their average, or both, for pictures side by side."""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from PIL import Image

from domain.config.training import TrainingConfig
from trainer.families.family import Drawing
from trainer.families.parts import Parts
from trainer.trained.average import Average
from trainer.trained.trained import Trained


class Painter:
    def __init__(self, parts: Parts, trained: Trained, average: Average | None, config: TrainingConfig) -> None:
        self._parts = parts
        self._trained = trained
        shown = config.ema_validation if average is not None else "none"
        self._shown = {"none": (None,), "ema_only": (average,), "comparison": (None, average)}[shown]

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        """What diffusers makes of the saved weights; a picture has one frame."""
        made = []
        for average in self._shown:
            with (
                average.in_place() if average else nullcontext(),
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
