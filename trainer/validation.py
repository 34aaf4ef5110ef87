"""Validation images: the same prompts and seeds at every validation, drawn by diffusers from the trained weights."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, count
from pathlib import Path

from PIL import Image

from domain.config.buckets import Size
from domain.config.training import TrainingConfig
from trainer.devices import free_memory
from trainer.errors import explain, is_out_of_memory
from trainer.families.family import Drawing
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, log, phase, read_told
from trainer.trained.painter import Painter
from trainer.wire import ValidationImageSaved

THUMBNAIL_EDGE = 256
THUMBNAIL_QUALITY = 80
ENDINGS = {"png": "png", "webp": "webp", "jpeg": "jpg"}
"""Of files, by value of validation_image_format."""

FORMATS = {"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}
"""As Pillow calls them, by ending."""


@dataclass(frozen=True, slots=True)
class Made:
    """A validation image that the journal already has."""

    step: int
    index: int
    prompt: str
    seed: int


class Validation:
    """Makes each picture of a step once, also when a run is killed in between and resumed.

    What earlier starts made of steps that are trained again is made again, for they may not go the same way: after another
    learning rate, or on a device that reckons differently each time. It is told again, under another name, if it differs.
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        run_dir: Path,
        sizes: Sequence[Size],
        steps_per_epoch: int,
        start_step: int,
        journal: Journal,
        inbox: Inbox,
    ) -> None:
        """start_step: of the checkpoint that the run goes on from."""
        self._config = config
        self._interval = Interval(
            steps=config.validation_step_interval,
            epochs=config.validation_epoch_interval,
            steps_per_epoch=steps_per_epoch,
        )
        self._steps_per_epoch = steps_per_epoch
        self._run_dir = run_dir
        self._journal = journal
        self._inbox = inbox
        self._drawings = [] if config.validation_disable else list(_drawings(config, sizes=sizes))
        self._earlier, self._told = _read_made(run_dir)
        self._made = {made for made in self._earlier if made.step <= start_step}

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
        """Draw what the journal lacks of this step; ends early when a stop is asked for."""
        missing = [
            (index, drawing)
            for index, drawing in enumerate(self._drawings)
            if Made(step, index, drawing.prompt, drawing.seed) not in self._made
        ]
        if not missing:
            return
        with phase(self._journal, "validate", total=len(missing)) as progress:
            for index, drawing in missing:
                if self._inbox.wants_stop():
                    break
                image = self._draw(painter, drawing)
                if image is None:
                    break
                self._keep(image, drawing, step=step, index=index)
                progress.advance()

    def _draw(self, painter: Painter, drawing: Drawing) -> Image.Image | None:
        """None where memory runs out, which is told and ends no run that trains well."""
        try:
            return painter.draw(drawing)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            log(self._journal, "warning", f"{explain(error, phase='validate')}; training goes on without it")
        free_memory()
        return None

    def _keep(self, image: Image.Image, drawing: Drawing, *, step: int, index: int) -> None:
        made = Made(step, index, drawing.prompt, drawing.seed)
        ending = ENDINGS[self._config.validation_image_format]
        encoded = _encoded(image, ending, quality=self._config.validation_image_quality)
        self._made.add(made)
        if made in self._earlier and _holds(self._run_dir / self._earlier[made], encoded):
            return
        names = (f"{index:03d}{suffix}.{ending}" for suffix in chain([""], map("-{}".format, count(2))))
        paths = (Path("validation", f"step-{step:06d}", name) for name in names)
        path = next(each for each in paths if each.as_posix() not in self._told)
        thumbnail_path = _save_with_thumbnail(image, encoded, self._run_dir / path).relative_to(self._run_dir)
        self._told.add(path.as_posix())
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


def _drawings(config: TrainingConfig, *, sizes: Sequence[Size]) -> Iterator[Drawing]:
    """By prompt, then by seed, then by size."""
    for prompt in config.validation_prompts:
        for offset in range(config.num_validation_images):
            for size in sizes:
                yield Drawing(
                    prompt=prompt,
                    negative_prompt=config.validation_negative_prompt,
                    seed=config.validation_seed + offset,
                    width=size.width,
                    height=size.height,
                    num_inference_steps=config.validation_num_inference_steps,
                    guidance=config.validation_guidance,
                    guidance_real=config.validation_guidance_real,
                    guidance_rescale=config.validation_guidance_rescale,
                    sampler=config.validation_noise_scheduler,
                )


def _read_made(run_dir: Path) -> tuple[dict[Made, str], set[str]]:
    """The newest file of each picture, and all files that were ever told."""
    earlier, told = {}, set()
    for message in read_told(run_dir, ValidationImageSaved):
        if isinstance(message, ValidationImageSaved):
            earlier[Made(message.step, message.index, message.prompt, message.seed)] = message.path
            told.add(message.path)
    return earlier, told


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _save_with_thumbnail(image: Image.Image, encoded: bytes, path: Path) -> Path:
    """Returns the thumbnail's path: the picture itself when it is small enough."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(encoded, path)
    if max(image.size) <= THUMBNAIL_EDGE:
        return path
    thumbnail = image.copy()
    thumbnail.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE), Image.Resampling.LANCZOS)
    thumbnail_path = path.with_suffix(".thumbnail.webp")
    _write(_encoded(thumbnail, "webp", quality=THUMBNAIL_QUALITY), thumbnail_path)
    return thumbnail_path


def _encoded(image: Image.Image, ending: str, *, quality: int) -> bytes:
    """quality: counts unless it is a png."""
    file = BytesIO()
    image.save(file, format=FORMATS[ending], quality=quality)
    return file.getvalue()


def _write(content: bytes, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
