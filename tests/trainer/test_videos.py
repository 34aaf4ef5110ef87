"""Video families with videos: latents of many frames."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from domain.config.buckets import Shape, Size, picture_seed
from domain.config.clips import ClipRules, cut_out
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.families.family import VideoFacts
from domain.families.registry import FAMILIES as KNOWN_FAMILIES
from tests.trainer.filming import film, frame_picture
from tests.trainer.recipes import RECIPES, Fixed
from tests.trainer.runs import RunDirectory, write_run
from tests.trainer.small_families import DRAWING, FROM_PICTURE, SMALL, save_small
from trainer.data.encoding import to_pixels
from trainer.data.epochs import Bucket, EpochOrder
from trainer.families.family import BaseModel, Drawing, ModelFamily
from trainer.families.registry import FAMILIES
from trainer.objective import draw_noise
from trainer.randomness import seed_for
from trainer.validation_files import keep_video
from trainer.wire import ValidationImageSaved

TrainHere = Callable[[RunDirectory], int]

VIDEO_FAMILIES = ("wan", "ltxvideo")
NUM_TOKENS = 24
NUM_FRAMES = {"wan": 5, "ltxvideo": 9}
"""Of clips; latents have two."""

FRAME_RATE = 12
SEED = 42
OPTIONS: dict[str, Any] = {
    "max_train_steps": 1,
    "train_batch_size": 2,
    "learning_rate": 1e-2,
    "caption_dropout_probability": 0,
    "framerate": FRAME_RATE,
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
    return FAMILIES[config.model_family].load(base)


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
    assert latents.shape[2] == facts.num_latent_frames(NUM_FRAMES[name]) == 2
    torch.testing.assert_close(latents * std + mean, expected)


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_every_drawn_frame_is_what_diffusers_makes(name: str, tmp_path: Path) -> None:
    folder = save_small(name, tmp_path)
    drawing = Drawing(
        prompt="a red square",
        negative_prompt="a cat",
        seed=7,
        width=64,
        height=32,
        num_inference_steps=2,
        guidance=3.0,
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


ALL = SMALL | FROM_PICTURE


class Films:
    """Two videos that keep every pixel, as long as a clip; and runs on them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.model = save_small(name, folder / "model")
        self.clips = folder / "clips"
        self.clips.mkdir()
        for number, caption in enumerate(CAPTIONS):
            film(self.clips / f"{number}.mkv", num_frames=self.num_frames + number, rate=FRAME_RATE)
            (self.clips / f"{number}.txt").write_text(caption)

    @property
    def num_frames(self) -> int:
        return NUM_FRAMES[self.name.partition("-")[0]]

    @property
    def num_tokens(self) -> int:
        return int(ALL[self.name].options.get("tokenizer_max_length", NUM_TOKENS))

    def run(self, name: str, **options: Any) -> RunDirectory:
        dataset = {"dataset_type": "video", "video": {"num_frames": self.num_frames}} | options.pop("dataset", {})
        return write_run(
            self.folder / name,
            folder=self.clips,
            dataset=dataset,
            model_family=self.name.partition("-")[0],
            pretrained_model_name_or_path=str(self.model),
            **OPTIONS | ALL[self.name].options | options,
        )

    def drawn_by_diffusers(self, weights: Path | None, *, seed: int) -> list[Image.Image]:
        pipeline = DiffusionPipeline.from_pretrained(self.model)
        if weights is not None:
            ALL[self.name].load(pipeline, weights)
        told: dict[str, Any] = {"num_frames": self.num_frames, "width": 64, "height": 64, "num_inference_steps": 2}
        told |= {"frame_rate": FRAME_RATE} if self.name == "ltxvideo" else {}
        if self.name in FROM_PICTURE:
            told["image"] = frame_picture(0, (64, 64))  # with which the first video begins
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            frames: list[Image.Image] = (
                ALL[self.name].draw(pipeline, num_tokens=self.num_tokens, generator=generator, **told).images
            )
        return frames

    def first_batch(self, seed: int) -> Fixed:
        """What the first step of a run sees. The second video has a frame more than a clip, so a part of it is taken."""
        config = TrainingConfig(model_family="wan", train_batch_size=2, seed=seed)
        shape = Shape(Size(64, 64), self.num_frames)
        order = EpochOrder(
            [Bucket(dataset="ink", shape=shape, samples=(0, 1), repeats=0)],
            config,
            datasets=[DatasetConfig(id="ink", instance_data_dir="/ink")],
        )
        shown = order.samples_at(0)
        clips = []
        for number in shown:
            rules = ClipRules(
                facts=VideoFacts(frame_rate=FRAME_RATE, frames_per_latent=1),
                num_frames=self.num_frames,
                min_frames=1,
                max_frames=None,
                lengths_step=None,
            )
            drawn = picture_seed(seed, dataset="ink", name=f"{number}.mkv")
            first = cut_out(rules, self.num_frames + number, seed=drawn).first
            frames = [frame_picture(first + place, (64, 64)) for place in range(self.num_frames)]
            clips.append(torch.stack([to_pixels(frame) for frame in frames], dim=1))
        noises, timesteps = (
            [seed_for(purpose, seed, 0, place) for place in range(2)] for purpose in ("noise", "timestep")
        )
        return Fixed(
            pixels=torch.stack(clips),
            captions=[CAPTIONS[number] for number in shown],
            sizes=[(64, 64)] * 2,
            noise=lambda shape: draw_noise(noises, shape=shape, device=torch.device("cpu")),
            drawn=[torch.Generator().manual_seed(each) for each in timesteps],
            num_tokens=self.num_tokens,
            frame_rate=FRAME_RATE,
        )


@pytest.mark.parametrize("name", [*VIDEO_FAMILIES, "wan-low", *FROM_PICTURE])
def test_run_on_videos_has_the_pipelines_loss_and_draws_what_diffusers_makes_of_its_weights(
    name: str, tmp_path: Path, train_here: TrainHere
) -> None:
    """Of the files alone: clips are as long as validation videos are by themselves. Frames are encoded in the same way each
    time, so equal files come of equal frames."""
    films = Films(tmp_path, name)
    run = films.run("run", seed=SEED)
    assert train_here(run) == 0
    with torch.no_grad():
        expected = RECIPES[name](DiffusionPipeline.from_pretrained(films.model), films.first_batch(SEED))
    assert run.losses() == {1: pytest.approx(expected.item(), rel=1e-5)}

    for image, weights in zip(run.of(ValidationImageSaved), (None, run.path), strict=True):
        frames = films.drawn_by_diffusers(weights, seed=image.seed)
        kept = keep_video(frames, tmp_path / "expected.mp4", frame_rate=FRAME_RATE)
        assert (run.path / image.path).read_bytes() == kept.path.read_bytes()
        assert (run.path / image.thumbnail_path).read_bytes() == kept.thumbnail_path.read_bytes()
        assert (image.num_frames, image.duration_seconds) == (films.num_frames, films.num_frames / FRAME_RATE)
    before, after = run.of(ValidationImageSaved)
    assert after.path == "validation/step-000001/000.mp4"
    assert (run.path / before.path).read_bytes() != (run.path / after.path).read_bytes()


def test_number_of_validation_frames_is_rounded_down_and_one_is_a_picture(
    tmp_path: Path, train_here: TrainHere
) -> None:
    films = Films(tmp_path, "wan")
    for asked, made, ending in ((7, 5, "mp4"), (3, 1, "png")):
        run = films.run(f"run-{asked}", validation_num_video_frames=asked, disable_benchmark=True)
        assert train_here(run) == 0
        [image] = run.of(ValidationImageSaved)
        assert (image.num_frames, image.path) == (made, f"validation/step-000001/000.{ending}")


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_of_videos_that_are_known_the_base_models_own_prediction_is_learned(
    name: str, tmp_path: Path, train_here: TrainHere
) -> None:
    """And by an adapter that adds nothing yet, it is met; with noise whose channels are shifted over all frames alike."""
    films = Films(tmp_path, name)
    known = {
        "id": "known",
        "dataset_type": "video",
        "instance_data_dir": str(films.clips),
        "is_regularisation_data": True,
    }
    run = films.run(
        "run",
        more_datasets=[known | {"video": {"num_frames": films.num_frames}}],
        max_train_steps=2,
        learning_rate=1e-30,
        offset_noise=True,
        noise_offset_probability=1.0,
        validation_disable=True,
    )
    assert train_here(run) == 0
    smaller, larger = sorted(run.losses().values())
    assert smaller == 0 < 0.1 < larger


def test_flavour_that_makes_videos_of_pictures_is_trained_on_videos_alone(
    tmp_path: Path, pictures: Path, train_here: TrainHere
) -> None:
    films = Films(tmp_path, "wan-i2v")
    for kind, said in (
        ("image", "learns that from videos; set dataset_type to video"),
        ("eval", "learns that from videos; switch eval_loss_disable on"),
    ):
        stills = {"id": "stills", "instance_data_dir": str(pictures), "dataset_type": kind}
        run = films.run(kind, more_datasets=[stills])
        assert train_here(run) == 1
        assert said in (run.ended().reason or "")


def test_run_that_is_told_first_frames_resumes_exactly(tmp_path: Path, train_here: TrainHere) -> None:
    films = Films(tmp_path, "wan-i2v")
    options: dict[str, Any] = {"max_train_steps": 2, "checkpoint_step_interval": 1, "validation_disable": True}
    run = films.run("run", **options)
    assert train_here(run) == 0
    resumed = films.run("resumed", **options, resume=True)
    shutil.copytree(run.path / "checkpoint-1", resumed.path / "checkpoint-1")
    assert train_here(resumed) == 0
    assert resumed.losses() == {2: run.losses()[2]}


def test_encodings_with_first_frames_are_none_without(tmp_path: Path) -> None:
    """Though both have the same autoencoder."""
    told = save_small("wan-i2v-low", tmp_path / "told")
    untold = save_small("wan-low", tmp_path / "untold")
    shutil.rmtree(untold / "vae")
    shutil.copytree(told / "vae", untold / "vae")
    families = [
        loaded(told, "wan", model_flavour="i2v-14b-2.2-low"),
        loaded(untold, "wan", model_flavour="animegen-t2v-low"),
    ]
    assert len({family.latents_identity for family in families}) == 2
