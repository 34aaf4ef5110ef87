"""Batches of latents and text embeds, each a function of the step alone."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from domain.config.buckets import Placement
from domain.config.training import TrainingConfig
from trainer.data.captions import NO_CAPTION
from trainer.data.encoding import LATENTS, Encoded, geometry_of
from trainer.data.encodings import Cut, Encodings
from trainer.data.epochs import EpochOrder
from trainer.data.read_ahead import ReadAhead
from trainer.families.family import TextEmbeds
from trainer.objective import Draws
from trainer.randomness import seed_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A cut of a picture, and the captions that it may be shown with. caption_dropout: how often without any.

    timestep_offset: see trainer.objective.Draws. is_regularisation: it should stay as the base model has it. mask:
    where its loss counts. keeps_text: the embeds of its captions are written to the cache. recut: the cut of an epoch,
    where each has another one; its size stays.
    """

    cut: Cut
    captions: tuple[str, ...]
    caption_dropout: float
    timestep_offset: float = 0.0
    is_regularisation: bool = False
    mask: Cut | None = None
    keeps_text: bool = True
    recut: Callable[[int], Placement] | None = None

    def cut_in(self, epoch: int) -> Cut:
        return self._recut(self.cut, epoch)

    def mask_in(self, epoch: int) -> Cut | None:
        return None if self.mask is None else self._recut(self.mask, epoch)

    def _recut(self, cut: Cut, epoch: int) -> Cut:
        return cut if self.recut is None else replace(cut, placement=self.recut(epoch))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """latents: (batch, channels, height/8, width/8), of video families with frames before the height. geometry: (batch,
    6), see trainer.data.encoding.geometry_of. beginnings: see ModelFamily.encode_beginnings. positions: of each sample
    in the step's effective batch. masks: (batch, height/8, width/8), where the loss counts; None for everywhere.
    is_regularisation: of each sample, whether it should stay as the base model has it."""

    step: int
    positions: tuple[int, ...]
    latents: Tensor
    geometry: Tensor
    text_embeds: TextEmbeds
    beginnings: dict[str, Tensor]
    timestep_offsets: tuple[float, ...]
    is_regularisation: tuple[bool, ...]
    masks: Tensor | None

    def draws(self, config: TrainingConfig) -> Draws:
        num = config.effective_batch_size
        return Draws(
            seeds=self.seeds("timestep", seed=config.seed),
            places=[self.step * num + position for position in self.positions],
            batch_size=num,
            offsets=self.timestep_offsets,
        )

    def seeds(self, purpose: str, *, seed: int) -> list[int]:
        return [seed_for(purpose, seed, self.step, position) for position in self.positions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Of one forward pass. texts: None where there is none yet. pictures: see Encodings.find_latents."""

    positions: tuple[int, ...]
    captions: list[str]
    texts: list[TextEmbeds | None]
    keeps_texts: list[bool]
    cuts: list[Cut]
    pictures: list[Encoded | Image.Image | None]
    timestep_offsets: tuple[float, ...]
    is_regularisation: tuple[bool, ...]
    masks: list[Tensor | None]


class Loader:
    """This process's share of every effective batch. The next ones are read from the cache while a step is computed."""

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
        self._ahead = ReadAhead(
            self._read,
            self._following,
            num_ahead=config.dataloader_prefetch_qlen if config.dataloader_prefetch else 0,
        )

    def batch(self, step: int, *, micro_step: int) -> Batch:
        """The batch of one forward pass; steps count from 0."""
        read = self._ahead.take((step, micro_step))
        texts = [
            self._encodings.make_text(caption, is_kept=is_kept) if text is None else text
            for caption, text, is_kept in zip(read.captions, read.texts, read.keeps_texts, strict=True)
        ]
        encoded = self._encoded(read)
        return Batch(
            step=step,
            positions=read.positions,
            latents=self._on_device([each[LATENTS] for each in encoded]),
            geometry=self._on_device([geometry_of(cut.placement) for cut in read.cuts]),
            text_embeds={name: self._on_device([text[name] for text in texts]) for name in texts[0]},
            beginnings={
                name: self._on_device([each[name] for each in encoded]) for name in encoded[0] if name != LATENTS
            },
            timestep_offsets=read.timestep_offsets,
            is_regularisation=read.is_regularisation,
            masks=self._masks(read),
        )

    def close(self) -> None:
        self._ahead.close()
        self._encodings.close()

    def _read(self, place: tuple[int, int]) -> Found:
        """What the cache has for one forward pass, or what its latents are made of."""
        step, micro_step = place
        positions = self._positions(micro_step)
        places = self._order.samples_at(step)
        samples = [self._samples[places[position]] for position in positions]
        captions = [
            self._caption(sample, step=step, position=position)
            for sample, position in zip(samples, positions, strict=True)
        ]
        epoch = self._order.epoch_of(step)
        cuts = [sample.cut_in(epoch) for sample in samples]
        return Found(
            positions=positions,
            captions=captions,
            texts=[self._encodings.find_text(caption) for caption in captions],
            keeps_texts=[sample.keeps_text for sample in samples],
            cuts=cuts,
            pictures=[self._encodings.find_latents(cut) for cut in cuts],
            timestep_offsets=tuple(sample.timestep_offset for sample in samples),
            is_regularisation=tuple(sample.is_regularisation for sample in samples),
            masks=[
                self._mask(sample.mask_in(epoch), step=step, position=position)
                for sample, position in zip(samples, positions, strict=True)
            ],
        )

    def _following(self, place: tuple[int, int]) -> tuple[int, int] | None:
        step, micro_step = place
        if micro_step + 1 < self._config.gradient_accumulation_steps:
            return step, micro_step + 1
        return (step + 1, 0) if step + 1 < self._order.total_steps else None

    def _encoded(self, found: Found) -> list[Encoded]:
        missing = [
            (cut, picture)
            for cut, picture in zip(found.cuts, found.pictures, strict=True)
            if picture is None or isinstance(picture, Image.Image)
        ]
        made = iter(self._encodings.make_latents(missing))
        return [
            next(made) if picture is None or isinstance(picture, Image.Image) else picture for picture in found.pictures
        ]

    def _mask(self, mask: Cut | None, *, step: int, position: int) -> Tensor | None:
        """None where all of the picture counts this time."""
        if mask is None:
            return None
        draw = random.Random(seed_for("mask", self._config.seed, step, position))
        return self._encodings.mask(mask) if draw.random() < self._config.masked_loss_probability else None

    def _masks(self, found: Found) -> Tensor | None:
        there = next((mask for mask in found.masks if mask is not None), None)
        if there is None:
            return None
        return self._on_device([torch.ones_like(there) if mask is None else mask for mask in found.masks])

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
