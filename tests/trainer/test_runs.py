"""Whole runs on the small model, as real processes: exact resume, stops, and previews that tell the truth."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from tests.trainer.device import DEVICE
from tests.trainer.runs import SMALL_MODEL, RunDirectory, write_run
from trainer.wire import (
    REQUESTS_FILE,
    CheckpointRemoved,
    CheckpointSaved,
    Ended,
    Logged,
    PhaseChanged,
    Planned,
    SaveCheckpoint,
    Started,
    StepDone,
    Stop,
    Validate,
    ValidationImageSaved,
    WeightsSaved,
    append_line,
)

TrainHere = Callable[[RunDirectory], int]

WEIGHTS = "pytorch_lora_weights.safetensors"
PROMPTS = {"rose": "rose, ink style", "cat": "cat face"}
OPTIONS: dict[str, Any] = {
    "max_train_steps": 8,
    "train_batch_size": 2,
    "lora_dropout": 0.1,
    "lr_scheduler": "cosine",
    "checkpoint_step_interval": 3,
    "checkpoints_total_limit": 2,
    "validation_disable": False,
    "validation_step_interval": 4,
    "user_prompt_library": PROMPTS,
}


def finish(process: subprocess.Popen[str], *, status: int = 0) -> None:
    printed = process.communicate(timeout=120)
    assert (process.returncode, printed) == (status, ("", ""))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    run = write_run(tmp_path_factory.mktemp("uninterrupted") / "run", **OPTIONS)
    finish(run.start())
    return run


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The same run, stopped by SIGTERM at some step, resumed, killed at a later one, and resumed to its end."""
    path = tmp_path_factory.mktemp("interrupted") / "run"
    run = write_run(path, **OPTIONS)
    process = run.start()
    run.wait_for(lambda run: 1 in run.losses(), process)
    process.send_signal(signal.SIGTERM)
    finish(process)

    process = write_run(path, resume=True, **OPTIONS).start()
    run.wait_for(lambda run: 4 in run.losses(), process)
    process.kill()
    process.communicate()

    finish(write_run(path, resume=True, **OPTIONS).start())
    return run


# ---- an uninterrupted run ---------------------------------------------------------------------------------------------


def test_run_tells_its_story_in_order(uninterrupted: RunDirectory) -> None:
    facts = [message for message in uninterrupted.messages() if not isinstance(message, (PhaseChanged, Logged))]
    image = ValidationImageSaved
    checkpoint = CheckpointSaved
    step = StepDone
    assert [type(message) for message in facts] == [
        Started,
        Planned,
        *(image, image),
        *(step, step, step, checkpoint, step),
        *(image, image),
        *(step, step, checkpoint, step, step, checkpoint, CheckpointRemoved),
        WeightsSaved,
        *(image, image),
        Ended,
    ]


def test_run_plans_what_it_does(uninterrupted: RunDirectory) -> None:
    (planned,) = uninterrupted.of(Planned)
    assert (planned.total_steps, planned.steps_per_epoch, planned.num_images, planned.effective_batch_size) == (
        8,
        8,
        16,
        2,
    )
    weights = load_file(uninterrupted.path / WEIGHTS)
    assert planned.num_trainable_parameters == sum(tensor.numel() for tensor in weights.values())
    assert planned.resumed_from_step is None


def test_phases_before_the_first_step_are_told_with_counts(uninterrupted: RunDirectory) -> None:
    ended = {message.phase: message for message in uninterrupted.of(PhaseChanged) if message.ended}
    assert set(ended) == {"load_model", "read_images", "encode_captions", "encode_images", "validate", "save"}
    assert (ended["encode_images"].progress, ended["encode_images"].total) == (16, 16)
    assert (ended["encode_captions"].progress, ended["encode_captions"].total) == (17, 17)


def test_every_step_is_told_with_its_measures(uninterrupted: RunDirectory) -> None:
    steps = uninterrupted.of(StepDone)
    assert [step.step for step in steps] == list(range(1, 9))
    assert [step.epoch for step in steps] == [1] * 8
    costs = {"step_seconds", "data_seconds", "forward_backward_seconds", "optimizer_seconds", "images_per_second"}
    for step in steps:
        by_timestep = {name: value for name, value in step.metrics.items() if name.startswith("loss/t")}
        assert set(step.metrics) == {"loss", "learning_rate", "grad_norm", "peak_memory_gb", *costs, *by_timestep}
        assert 1 <= len(by_timestep) <= 2
        assert min(by_timestep.values()) <= step.metrics["loss"] * 1.000001
        spent = [step.metrics[name] for name in costs if name.endswith("_seconds") and name != "step_seconds"]
        assert sum(spent) == pytest.approx(step.metrics["step_seconds"])
    rates = [step.metrics["learning_rate"] for step in steps]
    assert rates[0] == 1e-3
    assert rates == sorted(rates, reverse=True)


def test_newest_checkpoints_and_final_weights_are_there(uninterrupted: RunDirectory) -> None:
    names = {path.name for path in uninterrupted.path.iterdir()}
    assert {name for name in names if name.startswith("checkpoint")} == {"checkpoint-6", "checkpoint-8"}
    assert uninterrupted.ended() == Ended(at=uninterrupted.ended().at, outcome="finished", step=8, resume_step=8)
    (weights,) = uninterrupted.of(WeightsSaved)
    assert (weights.path, weights.size_bytes) == (WEIGHTS, (uninterrupted.path / WEIGHTS).stat().st_size)


def test_validation_images_are_where_the_journal_says(uninterrupted: RunDirectory) -> None:
    images = uninterrupted.of(ValidationImageSaved)
    assert [(image.step, image.index, image.prompt) for image in images] == [
        (step, index, prompt) for step in (0, 4, 8) for index, prompt in enumerate(PROMPTS.values())
    ]
    for image in images:
        for path in (image.path, image.thumbnail_path):
            assert Image.open(uninterrupted.path / path).size == (image.width, image.height) == (64, 64)


# ---- the preview is the truth -----------------------------------------------------------------------------------------


def draw(weights: Path | None, *, prompt: str, seed: int) -> bytes:
    """The pixels that diffusers makes in a new pipeline."""
    pipeline = StableDiffusionPipeline.from_pretrained(SMALL_MODEL, dtype=torch.float32).to(DEVICE)
    pipeline.set_progress_bar_config(disable=True)
    if weights is not None:
        pipeline.load_lora_weights(weights)
    torch.set_num_threads(1)
    picture: Image.Image = pipeline(
        prompt,
        negative_prompt="",
        height=64,
        width=64,
        num_inference_steps=3,
        guidance_scale=7.5,
        generator=torch.Generator().manual_seed(seed),
    ).images[0]
    return picture.tobytes()


@pytest.mark.parametrize(("step", "weights"), [(0, None), (8, "."), (8, "checkpoint-8")])
def test_validation_image_is_what_diffusers_makes_of_the_saved_weights(
    uninterrupted: RunDirectory, step: int, weights: str | None
) -> None:
    images = [image for image in uninterrupted.of(ValidationImageSaved) if image.step == step]
    for image in images:
        drawn = draw(uninterrupted.path / weights if weights else None, prompt=image.prompt, seed=image.seed)
        assert Image.open(uninterrupted.path / image.path).tobytes() == drawn


def test_training_changes_the_pictures(uninterrupted: RunDirectory) -> None:
    pixels = [Image.open(uninterrupted.path / f"validation/step-{step:06d}/000.png").tobytes() for step in (0, 4, 8)]
    assert len(set(pixels)) == 3


# ---- interruptions ----------------------------------------------------------------------------------------------------


def test_resumed_losses_equal_those_without_interruption(
    uninterrupted: RunDirectory, interrupted: RunDirectory
) -> None:
    assert interrupted.losses() == uninterrupted.losses()


def test_resumed_weights_and_pictures_equal_those_without_interruption(
    uninterrupted: RunDirectory, interrupted: RunDirectory
) -> None:
    weights, expected = load_file(interrupted.path / WEIGHTS), load_file(uninterrupted.path / WEIGHTS)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    for image in uninterrupted.of(ValidationImageSaved):
        assert (interrupted.path / image.path).read_bytes() == (uninterrupted.path / image.path).read_bytes()


def test_validation_images_are_made_once_over_all_starts(interrupted: RunDirectory) -> None:
    images = [(image.step, image.index) for image in interrupted.of(ValidationImageSaved)]
    assert images == [(step, index) for step in (0, 4, 8) for index in (0, 1)]


def test_sigterm_saves_a_checkpoint_and_stops(interrupted: RunDirectory) -> None:
    stopped = interrupted.of(Ended)[0]
    assert stopped.outcome == "stopped"
    assert stopped.resume_step == stopped.step
    resumed, resumed_again = interrupted.of(Planned)[1:]
    assert resumed.resumed_from_step == stopped.step
    assert resumed_again.resumed_from_step >= 3


def test_finished_run_that_is_resumed_finishes_at_once(interrupted: RunDirectory, train_here: TrainHere) -> None:
    before = len(interrupted.messages())
    assert train_here(write_run(interrupted.path, resume=True, **OPTIONS)) == 0
    again = interrupted.messages()[before:]
    assert [type(message) for message in again if not isinstance(message, PhaseChanged)] == [
        Started,
        Planned,
        WeightsSaved,
        Ended,
    ]
    assert interrupted.ended().outcome == "finished"


# ---- requests ---------------------------------------------------------------------------------------------------------


def test_requests_are_done_after_the_current_step(tmp_path: Path) -> None:
    run = write_run(
        tmp_path / "run",
        **OPTIONS | {"max_train_steps": 1000, "checkpoint_step_interval": 1000, "validation_step_interval": 1000},
    )
    process = run.start()
    run.wait_for(lambda run: 1 in run.losses(), process)
    append_line(run.path / REQUESTS_FILE, SaveCheckpoint(at=1))
    run.wait_for(lambda run: bool(run.of(CheckpointSaved)), process)
    append_line(run.path / REQUESTS_FILE, Validate(at=2))
    run.wait_for(lambda run: len(run.of(ValidationImageSaved)) == 4, process)
    asked_at = time.time()
    append_line(run.path / REQUESTS_FILE, Stop(at=asked_at, save=False))
    finish(process)
    # The step that was being made, and one more when it had already looked.
    assert sum(step.at > asked_at for step in run.of(StepDone)) <= 2
    (checkpoint,) = run.of(CheckpointSaved)
    ended = run.ended()
    assert (ended.outcome, ended.resume_step) == ("stopped", checkpoint.step)
    assert ended.step == max(run.losses())
    assert not run.of(WeightsSaved)


# ---- several processes ------------------------------------------------------------------------------------------------


def test_two_processes_train_and_draw_as_one_with_accumulation(tmp_path: Path, train_here: TrainHere) -> None:
    same: dict[str, Any] = {"max_train_steps": 3, "lora_dropout": 0.0, "train_batch_size": 2, "use_ema": True}
    pictures: dict[str, Any] = {
        "validation_disable": False,
        "validation_prompt": "rose",
        "num_validation_images": 3,
        "disable_benchmark": True,
    }
    together = write_run(tmp_path / "together", num_processes=2, **same, **pictures)
    process = together.start(num_processes=2)
    process.communicate(timeout=120)
    assert process.returncode == 0
    alone = write_run(tmp_path / "alone", gradient_accumulation_steps=2, **same)
    assert train_here(alone) == 0
    assert together.of(Started)[0].num_processes == 2
    assert together.losses() == pytest.approx(alone.losses(), rel=1e-5)
    assert together.ended().outcome == "finished"
    weights = [load_file(run.path / WEIGHTS) for run in (together, alone)]
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-5) for name in weights[1])
    images = together.of(ValidationImageSaved)
    assert [(image.step, image.index, image.seed) for image in images] == [(3, 0, 42), (3, 1, 43), (3, 2, 44)]
    for image in images:
        sheet = Image.open(together.path / image.path)
        halves = [sheet.crop((left, 0, left + 64, 64)).tobytes() for left in (0, 64)]
        assert halves == [
            draw(folder, prompt="rose", seed=image.seed) for folder in (together.path, together.path / "ema")
        ]
