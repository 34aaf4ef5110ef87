"""Batches of latents and text embeds, each a function of the step alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from domain.config.training import TrainingConfig
from trainer.data.captions import NO_CAPTION
from trainer.data.encoding import geometry_of
from trainer.data.encodings import Cut, Encodings
from trainer.data.epochs import EpochOrder
from trainer.families.family import TextEmbeds
from trainer.randomness import seed_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A cut of a picture, and the captions that it may be shown with. caption_dropout: how often without any."""

    cut: Cut
    captions: tuple[str, ...]
    caption_dropout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """latents: (batch, channels, height/8, width/8). geometry: (batch, 6), see trainer.data.encoding.geometry_of.
    positions: of each sample in the step's effective batch."""

    step: int
    positions: tuple[int, ...]
    latents: Tensor
    geometry: Tensor
    text_embeds: TextEmbeds

    def seeds(self, purpose: str, *, seed: int) -> list[int]:
        return [seed_for(purpose, seed, self.step, position) for position in self.positions]


class Loader:
    """This process's share of every effective batch."""

    def __init__(
        self,
        samples: Sequence[Shown],
        order: EpochOrder,
        encodings: Encodings,
        *,
        config: TrainingConfig,
        process_index: int,
        device: torch.device,
    ) -> None:
        self._samples = samples
        self._order = order
        self._encodings = encodings
        self._config = config
        self._process_index = process_index
        self._device = device

    def batch(self, step: int, *, micro_step: int) -> Batch:
        """The batch of one forward pass; steps count from 0."""
        positions = self._positions(micro_step)
        places = self._order.samples_at(step)
        samples = [self._samples[places[position]] for position in positions]
        texts = [
            self._encodings.text(self._caption(sample, step=step, position=position))
            for sample, position in zip(samples, positions, strict=True)
        ]
        return Batch(
            step=step,
            positions=positions,
            latents=self._on_device([self._encodings.latents(sample.cut) for sample in samples]),
            geometry=self._on_device([geometry_of(sample.cut.placement) for sample in samples]),
            text_embeds={name: self._on_device([text[name] for text in texts]) for name in texts[0]},
        )

    def _on_device(self, tensors: Sequence[Tensor]) -> Tensor:
        """All in one, the shorter ones filled up with zeros at the end of their first dimension."""
        return pad_sequence(list(tensors), batch_first=True).to(self._device, non_blocking=True)

    def _positions(self, micro_step: int) -> tuple[int, ...]:
        size = self._config.train_batch_size
        start = (micro_step * self._config.num_processes + self._process_index) * size
        return tuple(range(start, start + size))

    def _caption(self, sample: Shown, *, step: int, position: int) -> str:
        draw = random.Random(seed_for("caption", self._config.seed, step, position))
        if draw.random() < sample.caption_dropout:
            return NO_CAPTION
        return draw.choice(sample.captions)
