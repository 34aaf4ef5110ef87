"""What only a GPU can show: half precision, its memory, replayed steps, optimizers made for it, and several at once."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from tests.trainer.runs import SMALL_MODEL, RunDirectory, write_run
from tests.trainer.small_families import SMALL, save_small
from tests.trainer.test_small_families import WEIGHTS, Small
from trainer.wire import REQUESTS_FILE, Started, StepDone, Stop, ValidationImageSaved, append_line

NUM_GPUS = torch.cuda.device_count()

pytestmark = pytest.mark.skipif(NUM_GPUS == 0, reason="needs an NVIDIA GPU")
with_two = pytest.mark.skipif(NUM_GPUS < 2, reason="needs two NVIDIA GPUs")

STEPS: dict[str, Any] = {"max_train_steps": 6, "checkpoint_step_interval": 3, "lora_rank": 4}


@pytest.fixture(autouse=True)
def kernels_of_the_trainer() -> Iterator[None]:
    """Other kernels for attention round otherwise."""
    is_on = torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    torch.backends.cuda.enable_cudnn_sdp(False)
    yield
    torch.backends.cuda.enable_cudnn_sdp(is_on)


def finished(run: RunDirectory, *, num_processes: int | None = None) -> RunDirectory:
    """In a process of its own, as its number format is that of a process."""
    process = run.start(num_processes=num_processes)
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 0, (run.ended(), errors[-3000:])
    return run


def weights_of(run: RunDirectory) -> dict[str, torch.Tensor]:
    return load_file(run.path / WEIGHTS)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("hidream", "cosmos")])
def test_half_precision_previews_are_what_diffusers_makes(name: str, precision: str, tmp_path: Path) -> None:
    small = Small(name, tmp_path)
    run = finished(small.write("run", mixed_precision=precision))
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    pipeline: Any = DiffusionPipeline.from_pretrained(small.model, dtype=dtype, **dict.fromkeys(SMALL[name].without))
    SMALL[name].load(pipeline, run.path)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False)
    pipeline.to("cuda").set_progress_bar_config(disable=True)
    (image,) = [image for image in run.of(ValidationImageSaved) if image.step == 3]
    told = {"num_inference_steps": 2, "height": 64, "width": 64, "generator": torch.Generator().manual_seed(image.seed)}
    with torch.no_grad():
        drawn = SMALL[name].draw(pipeline, num_tokens=small.options["tokenizer_max_length"], **told)
    assert Image.open(run.path / image.path).tobytes() == drawn.images[0].tobytes()


def resumed_from(run: RunDirectory, path: Path, **options: Any) -> RunDirectory:
    shutil.copytree(run.path / "checkpoint-3", path / "checkpoint-3")
    return finished(write_run(path, resume=True, **options))


@pytest.mark.parametrize(
    "options",
    [
        {"mixed_precision": "bf16"},
        {"mixed_precision": "fp16"},
        {"mixed_precision": "bf16", "optimizer": "adamw_bf16", "use_ema": True},
        {"mixed_precision": "bf16", "optimizer": "torch-adamw", "use_dora": True, "offload_during_startup": True},
        {"mixed_precision": "bf16", "optimizer": "ao-adamw8bit", "gradient_checkpointing": True},
        {"mixed_precision": "bf16", "dynamo_backend": "cudagraphs", "gradient_accumulation_steps": 2},
        {"mixed_precision": "bf16", "train_text_encoder": True},
    ],
    ids=["bf16", "fp16", "bf16 weights", "dora", "8 bit", "replayed", "text encoder"],
)
def test_resumed_run_ends_the_same(options: dict[str, Any], tmp_path: Path) -> None:
    run = finished(write_run(tmp_path / "run", **STEPS, **options))
    resumed = resumed_from(run, tmp_path / "resumed", **STEPS, **options)
    assert resumed.losses() == {step: loss for step, loss in run.losses().items() if step > 3}
    weights, expected = weights_of(resumed), weights_of(run)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_fp16_learns_although_gradients_overflow_at_first(tmp_path: Path) -> None:
    run = finished(write_run(tmp_path / "run", max_train_steps=40, lora_rank=16, mixed_precision="fp16"))
    losses = list(run.losses().values())
    assert sum(losses[-10:]) < sum(losses[:10])


def explosive(tmp_path: Path, **options: Any) -> RunDirectory:
    """A run that cannot go well: rates grow until numbers end."""
    return write_run(
        tmp_path / "run",
        **STEPS | {"max_train_steps": 300, "checkpoint_step_interval": 1} | options,
        learning_rate=1.0,
        lora_alpha=1e20,
        max_grad_norm=0,
    )


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    run = explosive(tmp_path, mixed_precision="bf16")
    run.start().communicate(timeout=200)
    ended = run.ended()
    assert ended.outcome == "failed"
    assert "lower the learning rate" in (ended.reason or "")
    last = load_file(run.path / f"checkpoint-{ended.resume_step}" / WEIGHTS)
    assert all(torch.isfinite(each).all() for each in last.values())


def test_out_of_memory_is_told_with_what_to_change(tmp_path: Path) -> None:
    run = write_run(
        tmp_path / "run",
        resolution=2048,
        train_batch_size=64,
        dataset={"upscale": True},
        max_train_steps=2,
        allow_dataset_oversubscription=True,
        attention_mechanism="native-math",
    )
    process = run.start()
    process.communicate(timeout=400)
    ended = run.ended()
    assert ended.outcome == "failed"
    assert "memory" in (ended.reason or "")


# ---- several GPUs -----------------------------------------------------------------------------------------------------


@with_two
@pytest.mark.parametrize("name", ["sd2x", "flux", "sdxl"])
def test_two_gpus_train_as_one_with_accumulation(name: str, tmp_path: Path) -> None:
    base: dict[str, Any] = {"max_train_steps": 4, "lora_dropout": 0.0, "train_batch_size": 2, "seed": 7}
    if name == "sd2x":
        base |= {
            "train_text_encoder": True,
            "eval_steps_interval": 2,
            "pretrained_model_name_or_path": str(SMALL_MODEL),
        }
    else:
        model = save_small(name, tmp_path / "model")
        base |= SMALL[name].options | {"model_family": name, "pretrained_model_name_or_path": str(model)}
    together = finished(write_run(tmp_path / "together", num_processes=2, **base), num_processes=2)
    alone = finished(write_run(tmp_path / "alone", gradient_accumulation_steps=2, **base))
    assert together.of(Started)[0].num_processes == 2
    assert together.losses() == pytest.approx(alone.losses(), rel=1e-4)
    weights, expected = weights_of(together), weights_of(alone)
    assert all(torch.allclose(weights[each], expected[each], atol=1e-4) for each in expected)


@with_two
@pytest.mark.parametrize("options", [{}, {"use_ema": True, "optimizer": "adamw_bf16", "dynamo_backend": "inductor"}])
def test_two_gpus_resume_exactly(options: dict[str, Any], tmp_path: Path) -> None:
    how = STEPS | {"num_processes": 2, "mixed_precision": "bf16"} | options
    run = finished(write_run(tmp_path / "run", **how), num_processes=2)
    shutil.copytree(run.path / "checkpoint-3", tmp_path / "resumed/checkpoint-3")
    resumed = finished(write_run(tmp_path / "resumed", resume=True, **how), num_processes=2)
    assert resumed.losses() == {step: loss for step, loss in run.losses().items() if step > 3}


@with_two
def test_two_gpus_stop_together_within_a_step(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", max_train_steps=100_000, num_processes=2, checkpoint_step_interval=100_000)
    process = run.start(num_processes=2)
    run.wait_for(lambda run: 5 in run.losses(), process)
    asked_at = time.time()
    append_line(run.path / REQUESTS_FILE, Stop(at=asked_at, save=True))
    process.communicate(timeout=60)
    assert process.returncode == 0
    ended = run.ended()
    assert (ended.outcome, ended.resume_step) == ("stopped", ended.step)
    assert sum(step.at > asked_at for step in run.of(StepDone)) <= 2


@with_two
def test_loss_that_is_no_number_ends_both(tmp_path: Path) -> None:
    run = explosive(tmp_path, num_processes=2)
    process = run.start(num_processes=2)
    process.communicate(timeout=120)
    assert process.returncode != 0
    assert "lower the learning rate" in (run.ended().reason or "")
