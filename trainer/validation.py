"""Validation images: the same prompts and seeds at every validation, drawn by diffusers from the trained weights."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath

import torch
from PIL import Image, ImageOps

from domain.config.buckets import Size
from domain.config.checks import frame_rate
from domain.config.training import TrainingConfig
from trainer.circle import Circle
from trainer.devices import free_memory
from trainer.errors import explain, is_out_of_memory
from trainer.families.family import Drawing, SkippedLayers
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, log, phase, read_told
from trainer.randomness import seed_for
from trainer.trained.painter import Painter
from trainer.validation_files import ENDINGS, VIDEO_ENDING, Kept, keep_picture, keep_video
from trainer.wire import ValidationImageSaved


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
        num_frames: int,
        beginnings: Sequence[Image.Image] = (),
        steps_per_epoch: int,
        start_step: int,
        journal: Journal,
        inbox: Inbox,
        circle: Circle,
        device: torch.device,
    ) -> None:
        """beginnings: pictures that videos are made of, for one prompt after another, if any. start_step: of the
        checkpoint that the run goes on from. circle: the processes that draw. device: where they do."""
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
        self._num_frames = num_frames
        self._beginnings = beginnings
        self._earlier, self._taken = _read_made(run_dir)
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
        has_room = True
        with (
            phase(self._journal, "validate", total=len(missing)) as progress,
            painter.among(self._circle),
        ):
            for start in range(0, len(missing), self._circle.size):
                if self._circle.told(self._inbox.wants_stop()):
                    break
                turn = missing[start : start + self._circle.size]
                mine: list[Image.Image] | str | None = None
                if has_room and self._circle.rank < len(turn):
                    mine = _drawn(painter, drawings[turn[self._circle.rank]])
                    has_room = not isinstance(mine, str)
                for index, made in zip(turn, self._circle.gathered(mine), strict=False):
                    if isinstance(made, str):
                        log(
                            self._journal,
                            "warning",
                            f"no validation image {index}: {made}; training goes on without it",
                        )
                    elif made is not None:
                        self._keep(made, drawings[index], step=step, index=index)
                        progress.advance()

    def _drawings_at(self, step: int) -> Iterator[Drawing]:
        """By prompt, then by seed, then by size."""
        config = self._config
        noise_from = str(self._device) if config.validation_seed_source == "gpu" else "cpu"
        beginnings = self._beginnings
        for place, prompt in enumerate(config.validation_prompts):
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
                        num_frames=self._num_frames,
                        beginning=ImageOps.fit(beginnings[place % len(beginnings)], size) if beginnings else None,
                        noise_from=noise_from,
                    )

    def _keep(self, frames: Sequence[Image.Image], drawing: Drawing, *, step: int, index: int) -> None:
        """Nothing is told of what a start before made just so; what became another has a name of its own."""
        made = Made(step, index, drawing.prompt, drawing.seed)
        self._made.add(made)
        names = (
            f"validation/step-{step:06d}/{index:03d}{suffix}" for suffix in chain([""], map("-{}".format, count(2)))
        )
        name = next(each for each in names if each not in self._taken)
        kept = self._write(frames, name)
        if made in self._earlier and _are_same(self._run_dir / self._earlier[made], kept.path):
            for path in {kept.path, kept.thumbnail_path}:
                path.unlink()
            return
        self._taken.add(name)
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

    def _write(self, frames: Sequence[Image.Image], name: str) -> Kept:
        config = self._config
        if len(frames) > 1:
            return keep_video(frames, self._run_dir / f"{name}.{VIDEO_ENDING}", frame_rate=frame_rate(config))
        path = self._run_dir / f"{name}.{ENDINGS[config.validation_image_format]}"
        return keep_picture(frames[0], path, quality=config.validation_image_quality)


def _drawn(painter: Painter, drawing: Drawing) -> list[Image.Image] | str:
    """Why there is nothing where memory runs out, which ends no run that trains well."""
    try:
        return painter.draw_frames(drawing)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = str(explain(error, phase="validate"))
    free_memory()
    return reason


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


def _read_made(run_dir: Path) -> tuple[dict[Made, str], set[str]]:
    """The newest file of each picture that was told, and the names of all, without their endings."""
    earlier, names = {}, set()
    for message in read_told(run_dir, ValidationImageSaved):
        if isinstance(message, ValidationImageSaved):
            earlier[Made(message.step, message.index, message.prompt, message.seed)] = message.path
            names.add(PurePosixPath(message.path).with_suffix("").as_posix())
    return earlier, names


def _are_same(path: Path, other: Path) -> bool:
    try:
        return path.read_bytes() == other.read_bytes()
    except FileNotFoundError:
        return False
