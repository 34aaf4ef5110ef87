"""Validation images: the same prompts and seeds at every validation, drawn by diffusers from the trained weights."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from domain.config.training import TrainingConfig
from trainer.families.family import Drawing
from trainer.inbox import Inbox
from trainer.journal import Journal, phase
from trainer.trained.painter import Painter
from trainer.wire import JOURNAL_FILE, ValidationImageSaved, WireError, decode_message, read_lines

THUMBNAIL_EDGE = 256


@dataclass(frozen=True, slots=True)
class Made:
    """A validation image that the journal already has."""

    step: int
    index: int
    prompt: str
    seed: int


class Validation:
    """Makes each picture of a step once, also when a run is killed in between and resumed."""

    def __init__(self, config: TrainingConfig, *, run_dir: Path, edge: int, journal: Journal, inbox: Inbox) -> None:
        self._interval = config.validation_step_interval
        self._run_dir = run_dir
        self._journal = journal
        self._inbox = inbox
        self._drawings = [] if config.validation_disable else list(_drawings(config, edge=edge))
        self._made = _read_made(run_dir)

    def is_due(self, step: int, *, total_steps: int) -> bool:
        """Before the first step, at every interval and after the last step."""
        return step % self._interval == 0 or step >= total_steps

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
                self._keep(painter.draw(drawing), drawing, step=step, index=index)
                progress.advance()

    def _keep(self, image: Image.Image, drawing: Drawing, *, step: int, index: int) -> None:
        path = Path("validation", f"step-{step:06d}", f"{index:03d}.png")
        thumbnail_path = _save_with_thumbnail(image, self._run_dir / path).relative_to(self._run_dir)
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


def _drawings(config: TrainingConfig, *, edge: int) -> Iterator[Drawing]:
    for prompt in config.validation_prompts:
        for offset in range(config.num_validation_images):
            yield Drawing(
                prompt=prompt,
                negative_prompt=config.validation_negative_prompt,
                seed=config.validation_seed + offset,
                edge=edge,
                num_inference_steps=config.validation_num_inference_steps,
                guidance=config.validation_guidance,
                guidance_real=config.validation_guidance_real,
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


def _save_with_thumbnail(image: Image.Image, path: Path) -> Path:
    """Returns the thumbnail's path: the picture itself when it is small enough."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(image, path, format="PNG")
    if max(image.size) <= THUMBNAIL_EDGE:
        return path
    thumbnail = image.copy()
    thumbnail.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE), Image.Resampling.LANCZOS)
    thumbnail_path = path.with_suffix(".thumbnail.webp")
    _save(thumbnail, thumbnail_path, format="WEBP")
    return thumbnail_path


def _save(image: Image.Image, path: Path, *, format: str) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        image.save(file, format=format)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
