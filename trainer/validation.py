"""Validation images: the same prompts and seeds at every validation, drawn by diffusers from the trained weights."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from domain.config.buckets import Size
from domain.config.checks import frame_rate
from domain.config.training import TrainingConfig
from trainer.families.family import Drawing
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, phase
from trainer.trained.painter import Painter
from trainer.validation_files import ENDINGS, VIDEO_ENDING, Kept, keep_picture, keep_video
from trainer.wire import JOURNAL_FILE, ValidationImageSaved, WireError, decode_message, read_lines


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
        num_frames: int,
        beginnings: Sequence[Image.Image] = (),
        steps_per_epoch: int,
        journal: Journal,
        inbox: Inbox,
    ) -> None:
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
        self._drawings = (
            []
            if config.validation_disable
            else list(_drawings(config, sizes=sizes, num_frames=num_frames, beginnings=beginnings))
        )
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
                self._keep(painter.draw_frames(drawing), drawing, step=step, index=index)
                progress.advance()

    def _keep(self, frames: Sequence[Image.Image], drawing: Drawing, *, step: int, index: int) -> None:
        kept = self._write(frames, f"validation/step-{step:06d}/{index:03d}")
        self._journal.append(
            ValidationImageSaved(
                at=time.time(),
                step=step,
                index=index,
                prompt=drawing.prompt,
                seed=drawing.seed,
                path=kept.path.relative_to(self._run_dir).as_posix(),
                thumbnail_path=kept.thumbnail_path.relative_to(self._run_dir).as_posix(),
                width=kept.width,
                height=kept.height,
                num_frames=kept.num_frames,
                duration_seconds=kept.duration_seconds,
                size_bytes=kept.size_bytes,
            )
        )
        self._made.add(Made(step, index, drawing.prompt, drawing.seed))

    def _write(self, frames: Sequence[Image.Image], name: str) -> Kept:
        config = self._config
        if len(frames) > 1:
            return keep_video(frames, self._run_dir / f"{name}.{VIDEO_ENDING}", frame_rate=frame_rate(config))
        path = self._run_dir / f"{name}.{ENDINGS[config.validation_image_format]}"
        return keep_picture(frames[0], path, quality=config.validation_image_quality)


def _drawings(
    config: TrainingConfig, *, sizes: Sequence[Size], num_frames: int, beginnings: Sequence[Image.Image]
) -> Iterator[Drawing]:
    """By prompt, then by seed, then by size. beginnings: pictures that videos are made of, one after another, if any."""
    for place, prompt in enumerate(config.validation_prompts):
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
                    num_frames=num_frames,
                    beginning=ImageOps.fit(beginnings[place % len(beginnings)], size) if beginnings else None,
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
