"""Validation images: the same prompts and seeds at every validation, drawn by diffusers from the trained weights."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from domain.config.buckets import Size
from domain.config.training import TrainingConfig
from trainer.circle import Circle
from trainer.families.family import Drawing, SkippedLayers
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, phase
from trainer.randomness import seed_for
from trainer.trained.painter import Painter
from trainer.wire import JOURNAL_FILE, ValidationImageSaved, WireError, decode_message, read_lines

THUMBNAIL_EDGE = 256
THUMBNAIL_QUALITY = 80
ENDINGS = {"png": "png", "webp": "webp", "jpeg": "jpg"}
"""Of files, by value of validation_image_format."""

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG"}
"""As Pillow calls them, by ending."""


@dataclass(frozen=True, slots=True)
class Made:
    """A validation image that the journal already has."""

    step: int
    index: int
    prompt: str
    seed: int


class Validation:
    """Makes each picture of a step once, also when a run is killed in between and resumed."""

    def __init__(
        self,
        config: TrainingConfig,
        *,
        run_dir: Path,
        sizes: Sequence[Size],
        steps_per_epoch: int,
        journal: Journal,
        inbox: Inbox,
        circle: Circle,
        device: torch.device,
    ) -> None:
        """circle: the processes that draw. device: where they do."""
        self._config = config
        self._circle = circle
        self._device = device
        self._sizes = sizes
        self._interval = Interval(
            steps=config.validation_step_interval,
            epochs=config.validation_epoch_interval,
            steps_per_epoch=steps_per_epoch,
        )
        self._steps_per_epoch = steps_per_epoch
        self._run_dir = run_dir
        self._journal = journal
        self._inbox = inbox
        self._made = _read_made(run_dir)

    def is_due(self, step: int) -> bool:
        """After a step, but for the last one, which always has pictures."""
        epoch = (step - 1) // self._steps_per_epoch + 1
        is_too_early = step < (self._config.validate_after_step or 0) or epoch < (
            self._config.validate_after_epoch or 0
        )
        return self._interval.is_due(step) and not is_too_early

    def is_due_at_start(self, step: int) -> bool:
        """Before the first step of a start: of the base model, when it is asked for, and what a kill left undone."""
        if self._config.validation_on_startup:
            return True
        return self.is_due(step) if step > 0 else not self._config.disable_benchmark

    def run(self, painter: Painter, *, step: int) -> None:
        """Draw what the journal lacks of this step; ends early when a stop is asked for.

        Each process of the circle draws one picture at a time, and the main one keeps them, in order.
        """
        drawings = [] if self._config.validation_disable else list(self._drawings_at(step))
        missing = self._circle.told(
            [
                index
                for index, drawing in enumerate(drawings)
                if Made(step, index, drawing.prompt, drawing.seed) not in self._made
            ]
        )
        if not missing:
            return
        with (
            phase(self._journal, "validate", total=len(missing)) as progress,
            painter.among(self._circle),
        ):
            for start in range(0, len(missing), self._circle.size):
                if self._circle.told(self._inbox.wants_stop()):
                    break
                turn = missing[start : start + self._circle.size]
                is_busy = self._circle.rank < len(turn)
                mine = painter.draw(drawings[turn[self._circle.rank]]) if is_busy else None
                for index, image in zip(turn, self._circle.gathered(mine), strict=False):
                    if image is not None:
                        self._keep(image, drawings[index], step=step, index=index)
                        progress.advance()

    def _drawings_at(self, step: int) -> Iterator[Drawing]:
        """By prompt, then by seed, then by size."""
        config = self._config
        noise_from = str(self._device) if config.validation_seed_source == "gpu" else "cpu"
        for prompt in config.validation_prompts:
            for seed in _seeds_at(step, config):
                for size in self._sizes:
                    yield Drawing(
                        prompt=prompt,
                        negative_prompt=config.validation_negative_prompt,
                        seed=seed,
                        width=size.width,
                        height=size.height,
                        num_inference_steps=config.validation_num_inference_steps,
                        guidance=config.validation_guidance,
                        guidance_real=config.validation_guidance_real,
                        guidance_rescale=config.validation_guidance_rescale,
                        skipped_layers=_skipped_layers(config),
                        sampler=config.validation_noise_scheduler,
                        noise_from=noise_from,
                    )

    def _keep(self, image: Image.Image, drawing: Drawing, *, step: int, index: int) -> None:
        path = Path("validation", f"step-{step:06d}", f"{index:03d}.{ENDINGS[self._config.validation_image_format]}")
        quality = self._config.validation_image_quality
        thumbnail_path = _save_with_thumbnail(image, self._run_dir / path, quality=quality).relative_to(self._run_dir)
        self._journal.append(
            ValidationImageSaved(
                at=time.time(),
                step=step,
                index=index,
                prompt=drawing.prompt,
                seed=drawing.seed,
                path=path.as_posix(),
                thumbnail_path=thumbnail_path.as_posix(),
                width=image.width,
                height=image.height,
            )
        )
        self._made.add(Made(step, index, drawing.prompt, drawing.seed))


def _seeds_at(step: int, config: TrainingConfig) -> Iterator[int]:
    """Each picture of a prompt has the next one."""
    first = config.validation_seed
    if config.validation_randomize:
        first = seed_for("validation", first, step) % 2**31
    yield from range(first, first + config.num_validation_images)


def _skipped_layers(config: TrainingConfig) -> SkippedLayers | None:
    if not config.validation_guidance_skip_layers:
        return None
    return SkippedLayers(
        blocks=tuple(config.validation_guidance_skip_layers),
        start=config.validation_guidance_skip_layers_start,
        stop=config.validation_guidance_skip_layers_stop,
        strength=config.validation_guidance_skip_scale,
    )


def _read_made(run_dir: Path) -> set[Made]:
    made = set()
    offset = 0
    while lines := list(read_lines(run_dir / JOURNAL_FILE, offset=offset)):
        offset = lines[-1][0]
        made |= {image for _, line in lines if b'"validation_image"' in line and (image := _made_by(line)) is not None}
    return made


def _made_by(line: bytes) -> Made | None:
    try:
        message = decode_message(line)
    except WireError:
        return None
    if not isinstance(message, ValidationImageSaved):
        return None
    return Made(message.step, message.index, message.prompt, message.seed)


def _save_with_thumbnail(image: Image.Image, path: Path, *, quality: int) -> Path:
    """Returns the thumbnail's path: the picture itself when it is small enough. quality: counts unless it is a png."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(image, path, quality=quality)
    if max(image.size) <= THUMBNAIL_EDGE:
        return path
    thumbnail = image.copy()
    thumbnail.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE), Image.Resampling.LANCZOS)
    thumbnail_path = path.with_suffix(".thumbnail.webp")
    _save(thumbnail, thumbnail_path, quality=THUMBNAIL_QUALITY)
    return thumbnail_path


def _save(image: Image.Image, path: Path, *, quality: int) -> None:
    """In the format that the ending says."""
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        image.save(file, format=FORMATS[path.suffix], quality=quality)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
