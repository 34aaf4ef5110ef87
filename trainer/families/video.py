"""Families that make videos; a picture is one of one frame."""

from abc import abstractmethod
from dataclasses import replace

from PIL import Image
from torch import Tensor

from trainer.families.family import Drawing, ModelFamily


class VideoFamily(ModelFamily):
    @abstractmethod
    def encode_videos(self, pixels: Tensor) -> Tensor: ...

    @abstractmethod
    def draw_frames(self, drawing: Drawing) -> list[Image.Image]: ...

    def encode_pictures(self, pixels: Tensor) -> Tensor:
        """(batch, channels, 1, ...)."""
        return self.encode_videos(pixels.unsqueeze(2))

    def draw(self, drawing: Drawing) -> Image.Image:
        return self.draw_frames(replace(drawing, num_frames=1))[0]
