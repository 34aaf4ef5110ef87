"""What goes wrong once the libraries are loaded: pictures, weights, checkpoints, numbers. Each run in this process."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.trainer.runs import SMALL_MODEL, MakeRun, RunDirectory
from trainer.checkpoints import Checkpoint, Checkpoints, Facts
from trainer.state import OPTIMIZER_FILE
from trainer.wire import (
    JOURNAL_FILE,
    REQUESTS_FILE,
    CheckpointRemoved,
    CheckpointSaved,
    Logged,
    Planned,
    StepDone,
    Stop,
    append_line,
    failure_of_others,
)

TrainHere = Callable[[RunDirectory], int]


def assert_failed(run: RunDirectory, status: int, printed: str, expected: str) -> None:
    ended = run.ended()
    assert (status, ended.outcome) == (1, "failed")
    assert ended.reason is not None
    assert expected in ended.reason
    assert printed.splitlines()[-1] == f"trainer: the run failed: {ended.reason}"
    assert "Traceback" not in printed
    assert not [message for message in run.of(Logged) if "Traceback" in message.message]


# ---- pictures ---------------------------------------------------------------------------------------------------------


def test_unreadable_picture_is_named_and_left_out(make_run: MakeRun, pictures: Path, train_here: TrainHere) -> None:
    (pictures / "green.png").write_bytes(b"nonsense")
    (pictures / "red.txt").unlink()
    run = make_run(folder=pictures)
    assert train_here(run) == 0
    assert run.of(Planned)[0].num_images == 3
    assert len(run.warnings()) == 2
    assert f"1 of 3 pictures have no caption, for example {pictures / 'red.png'}" in run.warnings()[0]
    assert f"skipped: {pictures / 'green.png'} cannot be read as a picture" in run.warnings()[1]


def test_run_whose_pictures_are_all_unreadable_fails(
    make_run: MakeRun, pictures: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    for path in pictures.glob("*.png"):
        path.write_bytes(b"nonsense")
    run = make_run(folder=pictures)
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "none of the 4 pictures of dataset 'ink'")


def test_too_few_readable_pictures_fail(
    make_run: MakeRun, pictures: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    (pictures / "green.png").write_bytes(b"nonsense")
    run = make_run(folder=pictures, train_batch_size=4)
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "has 3 pictures with repeats 0, too few")


def test_changed_picture_is_encoded_again(make_run: MakeRun, pictures: Path, train_here: TrainHere) -> None:
    run = make_run(folder=pictures, max_train_steps=1, caption_dropout_probability=0, train_batch_size=4)
    assert train_here(run) == 0
    first = run.losses()[1]
    shutil.rmtree(run.path / "checkpoint-1")
    shutil.copy(pictures / "red.png", pictures / "blue.png")
    assert train_here(run) == 0
    assert run.losses()[1] != first


# ---- the base model ---------------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the small model that may be spoiled."""
    return Path(shutil.copytree(SMALL_MODEL, tmp_path / "model"))


def test_model_of_another_architecture_fails(
    make_run: MakeRun, model: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    index = json.loads((model / "model_index.json").read_text())
    (model / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableDiffusionXLPipeline"}))
    run = make_run(pretrained_model_name_or_path=str(model))
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "is a StableDiffusionXLPipeline")


def test_model_with_a_missing_part_fails(
    make_run: MakeRun, model: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(model / "tokenizer")
    run = make_run(pretrained_model_name_or_path=str(model))
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, f"the base model in {model} has no folder tokenizer")


@pytest.mark.parametrize("missing", ["unet/diffusion_pytorch_model.safetensors", "text_encoder/config.json"])
def test_model_with_a_missing_file_fails(
    make_run: MakeRun, model: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str], missing: str
) -> None:
    (model / missing).unlink()
    run = make_run(pretrained_model_name_or_path=str(model))
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, f"the base model {model} cannot be loaded")


def test_damaged_weights_fail(
    make_run: MakeRun, model: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    path = model / "unet/diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    run = make_run(pretrained_model_name_or_path=str(model))
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, f"the base model {model} cannot be loaded")


def test_name_on_the_hub_that_is_not_there_fails(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(pretrained_model_name_or_path="nobody/nothing")
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, " nobody/nothing")


def test_loss_that_is_no_number_ends_the_run_without_a_checkpoint(
    make_run: MakeRun, model: Path, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    path = model / "unet/diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights["conv_out.bias"][0] = torch.nan
    save_file(weights, path)
    run = make_run(pretrained_model_name_or_path=str(model))
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "the loss is nan at the first step: the denoiser")
    assert not run.of(CheckpointSaved)


def test_weights_that_are_no_numbers_are_not_saved(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    """They decay to more than a number can be, after a loss that is a number."""
    run = make_run(checkpoint_step_interval=1, optimizer="torch-asgd", optimizer_config="lambd=1e300")
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "the trained weights became nan or inf at step 1")
    assert run.losses().keys() == {1}
    assert not run.of(CheckpointSaved)


def test_process_without_a_journal_leaves_why_it_failed(
    make_run: MakeRun, train_here: TrainHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(folder=Path("/nowhere"))
    monkeypatch.setenv("RANK", "1")
    assert train_here(run) == 1
    assert "/nowhere" in (failure_of_others(run.path) or "")
    monkeypatch.setenv("RANK", "0")
    assert train_here(run) == 1
    assert failure_of_others(run.path) is None


def test_target_modules_that_match_nothing_fail(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(peft_lora_target_modules=["to_nowhere"])
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "no layer of the base model matches peft_lora_target_modules")


def test_more_processes_asked_for_than_started_fail(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(num_processes=2)
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "num_processes is 2 but 1 were started")


# ---- checkpoints ------------------------------------------------------------------------------------------------------


def test_damaged_newest_checkpoint_falls_back_to_the_one_before(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run(max_train_steps=3, checkpoint_step_interval=1)
    assert train_here(run) == 0
    before = run.losses()
    optimizer = run.path / "checkpoint-3/optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:-100])
    leftovers = [run.path / name for name in ("checkpoint-4.partial", "checkpoint-1.removed", "weights.partial")]
    for leftover in leftovers:
        leftover.mkdir()
    assert train_here(make_run(max_train_steps=3, checkpoint_step_interval=1, resume=True)) == 0
    assert run.of(Planned)[1].resumed_from_step == 2
    assert run.of(CheckpointRemoved)[-1].step == 3
    assert run.warnings()[0] == "checkpoint-3 is damaged and was set aside; the newest whole one is checkpoint-2"
    assert run.losses() == before
    assert not any(leftover.exists() for leftover in leftovers)


def test_damaged_only_checkpoint_lets_a_run_begin_anew(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run(max_train_steps=1)
    assert train_here(run) == 0
    (run.path / "checkpoint-1/optimizer.pt").write_bytes(b"")
    assert train_here(make_run(max_train_steps=1, resume=True)) == 0
    assert run.of(Planned)[1].resumed_from_step is None
    assert run.warnings() == ["checkpoint-1 is damaged and was set aside; no whole one is left"]


def test_start_over_earlier_checkpoints_is_refused(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run()
    assert train_here(run) == 0
    capfd.readouterr()
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "already has checkpoints up to step 2; resume the run")
    assert run.ended().resume_step == 2


def test_resume_with_another_rank_is_refused(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train_here(make_run()) == 0
    capfd.readouterr()
    run = make_run(lora_rank=8, max_train_steps=4, resume=True)
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "has another rank or other layers")


def test_resume_may_change_length_and_learning_rate(make_run: MakeRun, train_here: TrainHere) -> None:
    assert train_here(make_run()) == 0
    run = make_run(max_train_steps=4, learning_rate=5e-4, resume=True)
    assert train_here(run) == 0
    assert [step.metrics["learning_rate"] for step in run.of(StepDone)] == [1e-3, 1e-3, 5e-4, 5e-4]
    assert run.warnings() == [
        "since checkpoint-2, learning_rate was changed from 0.001 to 0.0005",
        "since checkpoint-2, the length in steps was changed from 2 to 4",
    ]


def test_resume_with_another_effective_batch_is_refused_unless_it_is_meant(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train_here(make_run()) == 0
    run = make_run(max_train_steps=3, train_batch_size=4, resume=True)
    status = train_here(run)
    expected = "the effective batch was 2 and is 4 now, so the run would not go on as it would have"
    assert_failed(run, status, capfd.readouterr().err, expected)
    assert "i_know_what_i_am_doing" in (run.ended().reason or "")
    assert run.ended().resume_step == 2
    assert train_here(make_run(max_train_steps=3, train_batch_size=4, resume=True, i_know_what_i_am_doing=True)) == 0
    assert "since checkpoint-2, the effective batch was changed from 2 to 4" in run.warnings()


def test_resume_from_a_named_checkpoint_trains_what_came_after_again(make_run: MakeRun, train_here: TrainHere) -> None:
    options = {"max_train_steps": 3, "checkpoint_step_interval": 1, "checkpoints_total_limit": 9}
    run = make_run(**options)
    assert train_here(run) == 0
    before = run.losses()
    num_messages = len(run.messages())
    assert train_here(make_run(**options, resume=True, resume_from_checkpoint="checkpoint-1")) == 0
    again = run.messages()[num_messages:]
    assert [message.step for message in again if isinstance(message, CheckpointRemoved)] == [2, 3]
    assert {message.step: message.metrics["loss"] for message in again if isinstance(message, StepDone)} == {
        step: before[step] for step in (2, 3)
    }
    assert {path.name for path in run.path.glob("checkpoint-*")} == {
        *(f"checkpoint-{step}" for step in (1, 2, 3)),
        *(f"checkpoint-{step}.aside" for step in (2, 3)),
    }


def test_resume_of_what_is_trained_otherwise_is_refused(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train_here(make_run()) == 0
    for options, expected in (
        ({"optimizer": "optimi-lion"}, "optimizer was torch-adamw and is optimi-lion now, so the run cannot go on"),
        ({"model_type": "full"}, "model_type was lora and is full now, so the run cannot go on from checkpoint-2"),
    ):
        capfd.readouterr()
        run = make_run(max_train_steps=3, resume=True, **options)
        status = train_here(run)
        assert_failed(run, status, capfd.readouterr().err, expected)


def test_resume_tells_what_else_was_changed(make_run: MakeRun, pictures: Path, train_here: TrainHere) -> None:
    assert train_here(make_run(folder=pictures)) == 0
    run = make_run(folder=pictures, resume=True)
    assert train_here(run) == 0
    assert run.warnings() == []
    (pictures / "red.txt").write_text("another caption")
    assert train_here(make_run(folder=pictures, max_train_steps=3, seed=7, resume=True)) == 0
    data, *options = run.warnings()
    assert data.startswith("since checkpoint-2, the data was changed: pictures, captions, sizes or how often")
    assert options == [
        "since checkpoint-2, the length in steps was changed from 2 to 3",
        "since checkpoint-2, seed was changed from 42 to 7",
    ]


def test_checkpoints_that_a_killed_start_did_not_tell_of_are_told(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run(max_train_steps=2, checkpoint_step_interval=1)
    assert train_here(run) == 0
    lines = (run.path / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    told = [line for line in lines if b'"checkpoint"' not in line or b"checkpoint-2" not in line]
    (run.path / JOURNAL_FILE).write_bytes(b"".join(told))
    shutil.rmtree(run.path / "checkpoint-1")
    assert [message.step for message in run.of(CheckpointSaved)] == [1]
    assert train_here(make_run(max_train_steps=2, checkpoint_step_interval=1, resume=True)) == 0
    assert [message.step for message in run.of(CheckpointRemoved)] == [1]
    files = [path for path in (run.path / "checkpoint-2").rglob("*") if path.is_file() and path.name != ".complete"]
    saved = run.of(CheckpointSaved)[-1]
    assert (saved.step, saved.path, saved.size_bytes) == (2, "checkpoint-2", sum(path.stat().st_size for path in files))


@pytest.mark.parametrize(
    ("is_resume", "written", "expected"),
    [
        (True, "checkpoint-7", "which this run does not have; set it to latest or to one of: checkpoint-2"),
        (True, "checkpoint-x", "which this run does not have"),
        (True, "/elsewhere/checkpoint-2", "names /elsewhere/checkpoint-2, which is of another run"),
        (False, "checkpoint-2", "but a new run has no checkpoint yet"),
    ],
)
def test_resume_from_what_is_not_there_is_refused(
    make_run: MakeRun,
    train_here: TrainHere,
    capfd: pytest.CaptureFixture[str],
    is_resume: bool,
    written: str,
    expected: str,
) -> None:
    if is_resume:
        assert train_here(make_run()) == 0
        capfd.readouterr()
    run = make_run(max_train_steps=3, resume=is_resume, resume_from_checkpoint=written)
    status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, expected)


def test_checkpoints_by_epochs_and_rolling_ones(make_run: MakeRun, pictures: Path, train_here: TrainHere) -> None:
    """Two steps are an epoch."""
    run = make_run(
        folder=pictures,
        max_train_steps=7,
        checkpoint_step_interval=100,
        checkpoint_epoch_interval=2,
        checkpointing_rolling_steps=3,
        learning_rate=1e-5,
    )
    assert train_here(run) == 0
    assert [saved.step for saved in run.of(CheckpointSaved)] == [3, 4, 6, 7]
    best = [line.message for line in run.of(Logged) if "is the best so far: mean loss" in line.message]
    assert best[0].startswith("checkpoint-3 is the best so far")
    kept = {int(path.name.partition("-")[2]) for path in run.path.glob("checkpoint-*")}
    assert kept == {4, 6, 7} | {int(best[-1].split()[0].partition("-")[2])}


def test_full_disk_leaves_the_checkpoint_before_and_says_so(
    make_run: MakeRun, train_here: TrainHere, capfd: pytest.CaptureFixture[str]
) -> None:
    """The optimizer's file of the second checkpoint leads to a device that is always full."""
    run = make_run(max_train_steps=3, checkpoint_step_interval=1)

    class FullDisk(Checkpoints):
        def save(self, facts: Facts, write: Callable[[Path], None]) -> Checkpoint:
            def fill(folder: Path) -> None:
                if facts.step == 2:
                    (folder / OPTIMIZER_FILE).symlink_to("/dev/full")
                write(folder)

            return super().save(facts, fill)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trainer.preparation.Checkpoints", FullDisk)
        status = train_here(run)
    assert_failed(run, status, capfd.readouterr().err, "the disk is full; free some space")
    assert run.ended().resume_step == 1
    assert Checkpoints(run.path, limit=1).steps() == [1]
    assert train_here(make_run(max_train_steps=3, checkpoint_step_interval=1, resume=True)) == 0
    assert run.of(Planned)[1].resumed_from_step == 1


# ---- the way a run goes -----------------------------------------------------------------------------------------------


def test_stop_before_the_first_step_ends_the_preparation(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run()
    append_line(run.path / REQUESTS_FILE, Stop(at=1, save=True))
    assert train_here(run) == 0
    assert run.ended().outcome == "stopped"
    assert not run.of(StepDone)


def test_epochs_make_the_length_when_steps_do_not(make_run: MakeRun, pictures: Path, train_here: TrainHere) -> None:
    run = make_run(folder=pictures, max_train_steps=0, num_train_epochs=2, dataset={"repeats": 1}, train_batch_size=4)
    assert train_here(run) == 0
    assert (run.of(Planned)[0].steps_per_epoch, run.of(Planned)[0].total_steps) == (2, 4)
    assert [step.epoch for step in run.of(StepDone)] == [1, 1, 2, 2]


def test_epsilon_min_snr_and_checkpointing_train(make_run: MakeRun, train_here: TrainHere) -> None:
    plain = make_run(prediction_type="epsilon", max_train_steps=1, lora_dropout=0)
    assert train_here(plain) == 0
    epsilon = plain.losses()[1]
    shutil.rmtree(plain.path)
    run = make_run(
        prediction_type="epsilon", snr_gamma=1.0, gradient_checkpointing=True, max_train_steps=1, lora_dropout=0
    )
    assert train_here(run) == 0
    assert 0 < run.losses()[1] < epsilon


def test_accumulation_equals_one_larger_batch(make_run: MakeRun, train_here: TrainHere) -> None:
    assert train_here(make_run(train_batch_size=4, lora_dropout=0)) == 0
    run = make_run(train_batch_size=4, lora_dropout=0)
    whole = run.losses()
    shutil.rmtree(run.path)
    assert train_here(make_run(train_batch_size=1, gradient_accumulation_steps=4, lora_dropout=0)) == 0
    assert run.losses() == pytest.approx(whole, rel=1e-4)


def test_thumbnails_are_made_of_large_pictures(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run(
        max_train_steps=1,
        validation_disable=False,
        validation_prompt="cat face",
        validation_resolution=270,
        validation_num_inference_steps=1,
        validation_guidance=0,
    )
    assert train_here(run) == 0
    folder = run.path / "validation/step-000001"
    assert sorted(path.name for path in folder.iterdir()) == ["000.png", "000.thumbnail.webp"]
    assert Image.open(folder / "000.png").size == (264, 264)
    assert Image.open(folder / "000.thumbnail.webp").size == (256, 256)


def test_journal_of_another_start_is_kept(make_run: MakeRun, train_here: TrainHere) -> None:
    run = make_run(max_train_steps=1)
    assert train_here(run) == 0
    before = (run.path / JOURNAL_FILE).read_bytes()
    os.truncate(run.path / JOURNAL_FILE, len(before) - 5)
    assert train_here(make_run(max_train_steps=2, resume=True)) == 0
    whole_lines = before[: before[:-1].rindex(b"\n") + 1]
    assert (run.path / JOURNAL_FILE).read_bytes().startswith(whole_lines)
    assert run.ended().outcome == "finished"
