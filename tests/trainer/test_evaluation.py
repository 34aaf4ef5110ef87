"""The held-out loss: what it is, that it is the same whenever it is measured, and that it leaves training alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from PIL import Image
from torch import nn

from domain.config.buckets import picture_seed
from domain.config.training import TrainingConfig
from tests.trainer.device import DEVICE, EXACT
from tests.trainer.runs import CONFIG, INK, SMALL_MODEL, RunDirectory
from trainer.checkpoints import Checkpoints
from trainer.data.encoding import to_pixels
from trainer.evaluation import Evaluation, HeldOutPicture
from trainer.families.family import BaseModel
from trainer.families.registry import FAMILIES
from trainer.inbox import SilentInbox
from trainer.journal import JournalFile
from trainer.objective import draw_noise
from trainer.randomness import seed_for
from trainer.wire import Logged, PhaseChanged, RunSpec, StepDone, write_run_spec

TrainHere = Callable[[RunDirectory], int]

COLOURS = ("blue", "green", "red", "yellow")
OPTIONS: dict[str, Any] = {"max_train_steps": 4, "lora_dropout": 0.1, "num_eval_images": 3, "eval_timesteps": 5}


def write(path: Path, held_out: dict[str, Path], *, resume: bool = False, **options: Any) -> RunDirectory:
    """A run on the bundled pictures, with the folders that are measured by name."""
    path.mkdir(exist_ok=True)
    datasets = [
        {"id": "ink", "instance_data_dir": str(INK)},
        *({"id": name, "instance_data_dir": str(at), "dataset_type": "eval"} for name, at in held_out.items()),
    ]
    config = CONFIG | OPTIONS | options
    write_run_spec(path, RunSpec(run_id="run", name="test", config=config, datasets=datasets, resume=resume))
    return RunDirectory(path)


def measured(run: RunDirectory) -> dict[int, dict[str, float]]:
    """By step."""
    found = {}
    for step in run.of(StepDone):
        metrics = {name: value for name, value in step.metrics.items() if name.startswith("eval")}
        if metrics:
            found[step.step] = metrics
    return found


def by_hand(weights: Path, folder: Path, names: list[str]) -> float:
    """With diffusers alone: the noisy latents of each picture at five timesteps, and what the denoiser says of them."""
    pipeline = StableDiffusionPipeline.from_pretrained(SMALL_MODEL, dtype=torch.float32)
    pipeline.load_lora_weights(weights)
    scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    timesteps = torch.tensor([100, 300, 500, 700, 900])
    losses = []
    for name in names:
        picture = Image.open(folder / f"{name}.png").convert("RGB")
        caption = (folder / f"{name}.txt").read_text()
        latents = pipeline.vae.encode(to_pixels(picture)[None]).latent_dist.mode() * pipeline.vae.config.scaling_factor
        latents = latents.repeat(5, 1, 1, 1)
        embeds = pipeline.encode_prompt(caption, "cpu", 1, False)[0].repeat(5, 1, 1)
        seed = picture_seed(42, dataset="plain", name=f"{name}.png")
        noises = [seed_for("eval_noise", seed, place) for place in range(5)]
        noise = draw_noise(noises, shape=latents.shape[1:], device=DEVICE).cpu()
        prediction = pipeline.unet(scheduler.add_noise(latents, noise, timesteps), timesteps, embeds).sample
        target = scheduler.get_velocity(latents, noise, timesteps)
        losses.append(torch.nn.functional.mse_loss(prediction, target).item())
    return sum(losses) / len(losses)


def test_held_out_loss_is_that_of_the_saved_weights(tmp_path: Path, pictures: Path, train_here: TrainHere) -> None:
    run = write(tmp_path / "run", {"plain": pictures}, seed=42, eval_steps_interval=2)
    assert train_here(run) == 0
    assert list(measured(run)) == [2, 4]
    names = sorted(COLOURS, key=lambda name: picture_seed(42, dataset="plain", name=f"{name}.png"))[:3]
    with torch.no_grad():
        expected = by_hand(run.path, pictures, names)
    assert measured(run)[4] == {"eval_loss": pytest.approx(expected, rel=EXACT)}


def test_measuring_leaves_training_as_it_is_and_the_best_checkpoint_is_by_it(
    tmp_path: Path, pictures: Path, train_here: TrainHere
) -> None:
    alone = write(tmp_path / "alone", {"plain": pictures}, eval_loss_disable=True)
    run = write(tmp_path / "run", {"plain": pictures}, checkpoint_step_interval=2, eval_steps_interval=1)
    assert (train_here(alone), train_here(run)) == (0, 0)
    assert measured(alone) == {}
    assert run.losses() == alone.losses()
    assert list(measured(run)) == [1, 2, 3, 4]
    best = Checkpoints(run.path, limit=1).best()
    by_step = {step: measured(run)[step]["eval_loss"] for step in (2, 4)}
    assert best is not None
    assert (best.step, best.eval_loss) == min(by_step.items(), key=lambda each: each[1])
    assert f"held-out loss {by_step[2]:.5f}" in next(line.message for line in run.of(Logged))


def test_resumed_run_measures_the_same(tmp_path: Path, pictures: Path, train_here: TrainHere) -> None:
    """At the end of half an epoch of eight steps; the first start is killed after two of them, so to say."""
    whole = write(tmp_path / "whole", {"plain": pictures}, eval_epoch_interval=0.5)
    part = write(tmp_path / "part", {"plain": pictures}, eval_epoch_interval=0.5, max_train_steps=2)
    assert (train_here(whole), train_here(part)) == (0, 0)
    assert train_here(write(part.path, {"plain": pictures}, eval_epoch_interval=0.5, resume=True)) == 0
    assert measured(whole)[4] == measured(part)[4]
    assert (list(measured(whole)), list(measured(part))) == ([4], [2, 4])


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, {"eval_loss", "eval_loss/plain", "eval_loss/again"}),
        ({"eval_dataset_pooling": True}, {"eval_loss"}),
        ({"eval_dataset_id": "again"}, {"eval_loss"}),
    ],
)
def test_losses_are_told_for_each_dataset_unless_they_are_pooled(
    tmp_path: Path, pictures: Path, train_here: TrainHere, options: dict[str, Any], names: set[str]
) -> None:
    """Without an interval, for every checkpoint."""
    held_out = {"plain": pictures, "again": pictures}
    run = write(tmp_path / "run", held_out, max_train_steps=2, checkpoint_step_interval=1, **options)
    assert train_here(run) == 0
    assert list(measured(run)) == [1, 2]
    for losses in measured(run).values():
        assert set(losses) == names
        if len(names) > 1:
            assert losses["eval_loss"] == pytest.approx((losses["eval_loss/plain"] + losses["eval_loss/again"]) / 2)


@pytest.mark.parametrize(
    ("held_out", "options", "expected"),
    [
        (["plain"], {"eval_dataset_id": "other"}, "no dataset of kind eval is called so; set it to one of: plain"),
        (["broken"], {}, "none of the 1 pictures of dataset 'broken'"),
    ],
)
def test_what_cannot_be_measured_ends_the_start(
    tmp_path: Path, pictures: Path, train_here: TrainHere, held_out: list[str], options: dict[str, Any], expected: str
) -> None:
    folders = {"plain": pictures, "broken": tmp_path / "broken"}
    folders["broken"].mkdir()
    (folders["broken"] / "a.png").write_bytes(b"nonsense")
    run = write(tmp_path / "run", {name: folders[name] for name in held_out}, **options)
    assert train_here(run) == 1
    assert expected in (run.ended().reason or "")


class Greedy(nn.Module):
    """Predicts with more memory than there is."""

    def forward(self, noisy: torch.Tensor, *_: object) -> torch.Tensor:
        return noisy + torch.empty(1 << 50)


@pytest.mark.usefixtures("train_here")
def test_memory_that_runs_out_while_measuring_ends_no_run(tmp_path: Path) -> None:
    run = write(tmp_path / "run", {})
    config = TrainingConfig.model_validate({"model_family": "sd2x"})
    base = BaseModel(source=str(SMALL_MODEL), config=config, device=torch.device("cpu"), dtype=torch.float32)
    family = FAMILIES["sd2x"].load(base)
    (embeds,) = family.encode_captions(["a fox"])
    picture = HeldOutPicture(
        dataset="plain",
        seed=1,
        latents=torch.zeros(4, 8, 8),
        geometry=torch.zeros(6),
        text_embeds=embeds,
        beginnings={},
    )
    predictor = Greedy()
    with JournalFile(run.path) as journal:
        measured = Evaluation(
            config,
            [picture],
            family,
            device=torch.device("cpu"),
            steps_per_epoch=4,
            journal=journal,
            inbox=SilentInbox(),
            is_wanted=True,
        ).run(predictor)
        assert journal.open_phase is None
    assert (measured, predictor.training) == ({}, True)
    assert run.warnings() == [
        "out of memory while the held-out loss was measured; lower train_batch_size, or switch eval_loss_disable on; "
        "training goes on without it"
    ]
    assert [(each.progress, each.ended) for each in run.of(PhaseChanged)] == [(0, False), (0, True)]
