"""Video families with videos: latents of many frames."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from domain.config.training import TrainingConfig
from domain.families.registry import FAMILIES as KNOWN_FAMILIES
from tests.trainer.recipes import RECIPES, Fixed
from tests.trainer.runs import RunDirectory, write_run
from tests.trainer.small_families import DRAWING, SMALL, save_small
from trainer.families.family import BaseModel, Drawing, ModelFamily
from trainer.families.registry import FAMILIES
from trainer.losses import losses_of
from trainer.objective import Draws, draw_noise
from trainer.validation_files import keep_video
from trainer.wire import ValidationImageSaved

TrainHere = Callable[[RunDirectory], int]

VIDEO_FAMILIES = ("wan", "ltxvideo")
NUM_TOKENS = 24
NUM_FRAMES = {"wan": 9, "ltxvideo": 17}
"""Of clips; latents have three."""

OPTIONS: dict[str, Any] = {
    "max_train_steps": 1,
    "train_batch_size": 1,
    "learning_rate": 1e-2,
    "framerate": 12,
    "tokenizer_max_length": NUM_TOKENS,
    "validation_disable": False,
    **DRAWING,
    "validation_num_inference_steps": 2,
}

CAPTIONS = ["a blue square and a rose", "red"]


def loaded(folder: Path, family: str, **options: Any) -> ModelFamily:
    written = {"model_family": family, "tokenizer_max_length": NUM_TOKENS} | SMALL[family].options | options
    config = TrainingConfig.model_validate(written)
    base = BaseModel(source=str(folder), config=config, device=torch.device("cpu"), dtype=torch.float32)
    return FAMILIES[family].load(base)


def test_families_with_video_facts_read_videos_and_no_others() -> None:
    reading = {key for key, family in FAMILIES.items() if "encode_videos" in vars(family)}
    assert reading == {key for key in FAMILIES if KNOWN_FAMILIES[key].video is not None} == set(VIDEO_FAMILIES)


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_encoded_video_is_what_its_pipeline_decodes(name: str, tmp_path: Path) -> None:
    folder = save_small(name, tmp_path)
    facts = KNOWN_FAMILIES[name].video
    assert facts is not None
    pixels = torch.rand(2, 3, NUM_FRAMES[name], 32, 64) * 2 - 1
    vae: Any = DiffusionPipeline.from_pretrained(folder).vae

    latents = loaded(folder, name).encode_videos(pixels)

    mean, std = (
        torch.as_tensor(each).view(1, -1, 1, 1, 1)
        for each in (
            (vae.config.latents_mean, vae.config.latents_std) if name == "wan" else (vae.latents_mean, vae.latents_std)
        )
    )
    with torch.no_grad():
        expected = vae.encode(pixels).latent_dist.mode()
    assert latents.shape[2] == facts.num_latent_frames(NUM_FRAMES[name]) == 3
    torch.testing.assert_close(latents * std + mean, expected)


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_loss_of_clips_is_that_of_the_pipelines_formula(name: str, tmp_path: Path) -> None:
    """At another frame rate than the family's."""
    folder = save_small(name, tmp_path)
    noise = draw_noise([3, 4], shape=(4, 3, 8, 8), device=torch.device("cpu"))
    fixed = Fixed(
        pixels=torch.rand(2, 3, NUM_FRAMES[name], 64, 64, generator=torch.Generator().manual_seed(5)) * 2 - 1,
        captions=CAPTIONS,
        sizes=[(64, 64), (64, 64)],
        noise=lambda shape: noise[:, :, :, : shape[-2], : shape[-1]],
        drawn=[torch.Generator().manual_seed(seed) for seed in (1, 2)],
        num_tokens=NUM_TOKENS,
        frame_rate=12,
    )
    family = loaded(folder, name, framerate=12)
    with torch.no_grad():
        latents = family.encode_videos(fixed.pixels)
        texts = family.encode_captions(CAPTIONS)
        conditions = family.conditions(
            {key: torch.stack([each[key] for each in texts]) for key in texts[0]},
            geometry=torch.zeros(2, 6),
            seeds=[5, 6],
        )
        draws = Draws(seeds=[1, 2], places=[0, 1], batch_size=2)
        schedule, noise = family.schedule, fixed.noise(latents.shape[1:])
        timesteps = schedule.draw_timesteps(draws, shape=latents.shape[1:], device=latents.device)
        prediction = family.predict(schedule.add_noise(latents, noise, timesteps), timesteps, conditions)
        target, weights = schedule.target(latents, noise, timesteps), schedule.loss_weights(timesteps)
        loss = losses_of(prediction, target, weights, bends=weights, loss_type="l2").mean()
        expected = RECIPES[name](DiffusionPipeline.from_pretrained(folder), fixed)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_every_drawn_frame_is_what_diffusers_makes(name: str, tmp_path: Path) -> None:
    folder = save_small(name, tmp_path)
    drawing = Drawing(
        prompt=DRAWING["validation_prompt"],
        negative_prompt=DRAWING["validation_negative_prompt"],
        seed=7,
        width=64,
        height=32,
        num_inference_steps=2,
        guidance=DRAWING["validation_guidance"],
        guidance_real=1.0,
        num_frames=NUM_FRAMES[name],
    )
    pipeline = DiffusionPipeline.from_pretrained(folder)
    told: dict[str, Any] = {"num_frames": NUM_FRAMES[name], "width": 64, "height": 32, "num_inference_steps": 2}
    told |= {"frame_rate": 12} if name == "ltxvideo" else {}
    with torch.no_grad():
        frames = loaded(folder, name, framerate=12).draw_frames(drawing)
        expected = SMALL[name].draw(pipeline, num_tokens=NUM_TOKENS, generator=torch.Generator().manual_seed(7), **told)
    assert [frame.tobytes() for frame in frames] == [frame.tobytes() for frame in expected.images]
    assert len(frames) == NUM_FRAMES[name]
    assert len({frame.tobytes() for frame in frames}) > 1


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_validation_video_holds_the_frames_that_diffusers_makes_of_the_saved_weights(
    name: str, tmp_path: Path, train_here: TrainHere
) -> None:
    """Frames are encoded in the same way each time, so equal files come of equal frames."""
    model, pictures = save_small(name, tmp_path / "model"), tmp_path / "pictures"
    pictures.mkdir()
    Image.linear_gradient("L").convert("RGB").resize((64, 64)).save(pictures / "a.png")
    run = write_run(
        tmp_path / "run",
        folder=pictures,
        model_family=name,
        pretrained_model_name_or_path=str(model),
        **OPTIONS | SMALL[name].options,
        validation_num_video_frames=NUM_FRAMES[name] + 2,
    )
    assert train_here(run) == 0
    before, after = run.of(ValidationImageSaved)
    pipeline = DiffusionPipeline.from_pretrained(model)
    pipeline.load_lora_weights(run.path)
    told: dict[str, Any] = {"num_frames": NUM_FRAMES[name], "width": 64, "height": 64, "num_inference_steps": 2}
    told |= {"frame_rate": 12} if name == "ltxvideo" else {}
    with torch.no_grad():
        drawn = SMALL[name].draw(pipeline, num_tokens=NUM_TOKENS, generator=torch.Generator().manual_seed(42), **told)
    expected = keep_video(drawn.images, tmp_path / "expected.mp4", frame_rate=12)
    assert (run.path / after.path).read_bytes() == expected.path.read_bytes()
    assert (run.path / after.thumbnail_path).read_bytes() == expected.thumbnail_path.read_bytes()
    assert (run.path / before.path).read_bytes() != expected.path.read_bytes()
    assert (after.path, after.num_frames) == ("validation/step-000001/000.mp4", NUM_FRAMES[name])
    assert after.duration_seconds == NUM_FRAMES[name] / 12
