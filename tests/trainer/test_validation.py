"""Validation images: when they are made, in which sizes and formats, and that they leave training alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionPipeline
from PIL import Image

from domain.config.buckets import Size
from domain.config.training import TrainingConfig
from tests.trainer.device import DEVICE
from tests.trainer.runs import SMALL_MODEL, MakeRun, RunDirectory, write_run
from trainer.circle import Circle
from trainer.families.family import Drawing
from trainer.inbox import SilentInbox
from trainer.intervals import Interval
from trainer.journal import JournalFile, SilentJournal
from trainer.randomness import seed_for
from trainer.validation import Validation
from trainer.wire import PhaseChanged, ValidationImageSaved

TrainHere = Callable[[RunDirectory], int]

DRAWN: dict[str, Any] = {
    "validation_disable": False,
    "validation_prompt": "rose",
    "validation_negative_prompt": "cat",
    "validation_resolution": "128x64,64x96",
    "validation_noise_scheduler": "euler-a",
    "validation_guidance_rescale": 0.7,
    "num_validation_images": 2,
}


def drawn_by_diffusers(run: RunDirectory, image: ValidationImageSaved) -> Image.Image:
    pipeline = StableDiffusionPipeline.from_pretrained(SMALL_MODEL, dtype=torch.float32).to(DEVICE)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(run.path)
    pipeline.scheduler = EulerAncestralDiscreteScheduler.from_config(pipeline.scheduler.config)
    picture: Image.Image = pipeline(
        image.prompt,
        negative_prompt="cat",
        width=image.width,
        height=image.height,
        num_inference_steps=3,
        guidance_scale=7.5,
        guidance_rescale=0.7,
        generator=torch.Generator().manual_seed(image.seed),
    ).images[0]
    return picture


def test_every_size_and_seed_is_what_diffusers_makes(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run(**DRAWN, disable_benchmark=True)
    assert train_here(run) == 0
    images = run.of(ValidationImageSaved)
    assert [(image.step, image.index, image.seed, image.width, image.height) for image in images] == [
        (2, 0, 42, 128, 64),
        (2, 1, 42, 64, 96),
        (2, 2, 43, 128, 64),
        (2, 3, 43, 64, 96),
    ]
    for image in images:
        assert Image.open(run.path / image.path).tobytes() == drawn_by_diffusers(run, image).tobytes()


def test_other_seeds_at_each_validation_follow_from_the_step(make_run: MakeRun, train_here: TrainHere) -> None:
    more = {"validation_randomize": True, "validation_resolution": "64x96", "num_validation_images": 1}
    run = make_run(**DRAWN | more, max_train_steps=1)
    assert train_here(run) == 0
    before, after = run.of(ValidationImageSaved)
    assert (before.seed, after.seed) == tuple(seed_for("validation", 42, step) % 2**31 for step in (0, 1))
    assert Image.open(run.path / after.path).tobytes() == drawn_by_diffusers(run, after).tobytes()


def test_validation_leaves_training_as_it_is(make_run: MakeRun, train_here: TrainHere) -> None:
    options: dict[str, Any] = {"max_train_steps": 3, "lora_dropout": 0.1}
    alone = make_run(**options)
    assert train_here(alone) == 0
    losses = alone.losses()
    (alone.path / "checkpoint-3").rename(alone.path.with_name("kept"))
    run = make_run(**options, **DRAWN, validation_step_interval=1, validation_on_startup=True)
    assert train_here(run) == 0
    assert {image.step for image in run.of(ValidationImageSaved)} == {0, 1, 2, 3}
    assert run.losses() == losses


@pytest.mark.parametrize(
    ("written", "ending", "kept"), [("png", "png", "PNG"), ("webp", "webp", "WEBP"), ("jpeg", "jpg", "JPEG")]
)
def test_pictures_are_kept_in_the_format_that_is_asked_for(
    make_run: MakeRun, train_here: TrainHere, written: str, ending: str, kept: str
) -> None:
    run = make_run(
        max_train_steps=1,
        validation_disable=False,
        validation_prompt="rose",
        validation_image_format=written,
        validation_image_quality=40,
        validation_num_inference_steps=1,
        disable_benchmark=True,
    )
    assert train_here(run) == 0
    (image,) = run.of(ValidationImageSaved)
    assert image.path == image.thumbnail_path == f"validation/step-000001/000.{ending}"
    assert Image.open(run.path / image.path).format == kept


class Greedy:
    """Draws with more memory than there is."""

    def among(self, _: Circle) -> AbstractContextManager[None]:
        return nullcontext()

    def draw_frames(self, drawing: Drawing) -> list[Image.Image]:
        torch.empty(1 << 50)
        raise AssertionError(f"there was memory for {drawing}")


@pytest.mark.usefixtures("train_here")
def test_memory_that_runs_out_while_drawing_ends_no_run(make_run: MakeRun) -> None:
    run = make_run()
    with JournalFile(run.path) as journal:
        Validation(
            TrainingConfig(model_family="sd2x", validation_prompt="a fox", num_validation_images=3),
            run_dir=run.path,
            sizes=[Size(64, 64)],
            num_frames=1,
            steps_per_epoch=4,
            start_step=0,
            journal=journal,
            inbox=SilentInbox(),
            circle=Circle(Accelerator(cpu=True), is_whole=True),
            device=torch.device("cpu"),
        ).run(Greedy(), step=3)  # type: ignore[arg-type]
    (warning,) = run.warnings()
    assert warning.startswith("no validation image 0: out of memory while a validation image was drawn; lower")
    assert run.of(PhaseChanged)[-1].ended


# ---- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "due"),
    [
        (Interval(steps=3, steps_per_epoch=4), [3, 6, 9, 12]),
        (Interval(epochs=1, steps_per_epoch=4), [4, 8, 12]),
        (Interval(epochs=0.5, steps_per_epoch=5), [3, 5, 8, 10]),
        (Interval(epochs=0.1, steps_per_epoch=4), list(range(1, 13))),
        (Interval(steps=5, epochs=2, steps_per_epoch=4), [5, 8, 10]),
        (Interval(steps_per_epoch=4), []),
    ],
)
def test_interval_comes_back_by_steps_and_epochs(interval: Interval, due: list[int]) -> None:
    assert [step for step in range(1, 13) if interval.is_due(step)] == due


def steps_of(make_run: MakeRun, **options: Any) -> tuple[list[int], list[int]]:
    """After which of ten steps there are pictures, and at which when a run is started or resumed there; four make an
    epoch."""
    config = TrainingConfig(model_family="sd2x", validation_step_interval=3, **options)
    validation = Validation(
        config,
        run_dir=make_run().path,
        sizes=(),
        num_frames=1,
        steps_per_epoch=4,
        start_step=0,
        journal=SilentJournal(),
        inbox=SilentInbox(),
        circle=Circle(Accelerator(cpu=True), is_whole=True),
        device=torch.device("cpu"),
    )
    after = [step for step in range(1, 11) if validation.is_due(step)]
    return after, [step for step in range(11) if validation.is_due_at_start(step)]


@pytest.mark.usefixtures("train_here")
@pytest.mark.parametrize(
    ("options", "after", "at_start"),
    [
        ({}, [3, 6, 9], [0, 3, 6, 9]),
        ({"validation_epoch_interval": 1}, [3, 4, 6, 8, 9], [0, 3, 4, 6, 8, 9]),
        ({"validate_after_step": 6}, [6, 9], [0, 6, 9]),
        ({"validate_after_epoch": 2}, [6, 9], [0, 6, 9]),
        ({"disable_benchmark": True}, [3, 6, 9], [3, 6, 9]),
        ({"disable_benchmark": True, "validation_on_startup": True}, [3, 6, 9], list(range(11))),
    ],
)
def test_pictures_are_made_when_options_say(
    make_run: MakeRun, options: dict[str, Any], after: list[int], at_start: list[int]
) -> None:
    assert steps_of(make_run, **options) == (after, at_start)


def test_pictures_of_steps_that_go_another_way_are_made_again(make_run: MakeRun, train_here: TrainHere) -> None:
    options: dict[str, Any] = {
        "max_train_steps": 2,
        "checkpoint_step_interval": 1,
        "validation_disable": False,
        "validation_prompt": "rose",
        "validation_step_interval": 1,
        "validation_num_inference_steps": 1,
    }
    run = make_run(**options)
    assert train_here(run) == 0
    back = {"resume": True, "resume_from_checkpoint": "checkpoint-1"}
    assert train_here(make_run(**options, **back)) == 0
    first = [f"validation/step-00000{step}/000.png" for step in range(3)]
    assert [image.path for image in run.of(ValidationImageSaved)] == first
    before = (run.path / first[2]).read_bytes()
    assert train_here(make_run(**options | {"learning_rate": 1e-2}, **back)) == 0
    again = "validation/step-000002/000-2.png"
    assert [image.path for image in run.of(ValidationImageSaved)] == [*first, again]
    assert (run.path / first[2]).read_bytes() == before != (run.path / again).read_bytes()


def test_startup_pictures_of_a_resumed_run(make_run: MakeRun, train_here: TrainHere) -> None:
    shown: dict[str, Any] = {
        "validation_disable": False,
        "validation_prompt": "rose",
        "validation_num_inference_steps": 1,
        "disable_benchmark": True,
    }
    run = make_run(max_train_steps=1, validation_disable=True)
    assert train_here(run) == 0
    assert train_here(write_run(run.path, resume=True, max_train_steps=2, validation_on_startup=True, **shown)) == 0
    assert [image.step for image in run.of(ValidationImageSaved)] == [1, 2]
