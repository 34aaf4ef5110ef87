"""Batches are a function of the step, and processes share them without gap or overlap."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

from domain.config.buckets import Geometry, Placement, Shape, Size, place
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from trainer.data.cache import EncodingCache
from trainer.data.digests import Digests
from trainer.data.encoding import Encoder
from trainer.data.encodings import Cut, Encodings
from trainer.data.epochs import Bucket, EpochOrder
from trainer.data.loader import Loader, Shown
from trainer.data.sources.local import LocalFolder

NUM_SAMPLES = 12
GREY = 21
"""The grey of a picture is its number times this."""


class Numbers:
    """Latents full of the number of a picture, text embeds too, and a half more for the second caption; -1 for none."""

    text_identity = latents_identity = "numbers"

    def encode_captions(self, captions: Sequence[str]) -> list[dict[str, torch.Tensor]]:
        return [{"prompt_embeds": torch.full((3, 2), float(caption or -1))} for caption in captions]

    def encode_pictures(self, pixels: torch.Tensor) -> torch.Tensor:
        numbers = ((pixels[:, :, :2, :2] + 1) * 127.5 / GREY).round()
        return torch.cat([numbers, numbers[:, :1]], dim=1)

    encode_videos = encode_pictures

    def encode_beginnings(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[Shown]:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(NUM_SAMPLES):
        Image.new("L", (64, 64), number * GREY).save(folder / f"{number:02}.png")
    placement = place(Geometry(resolution=64, resolution_type="pixel", alignment=64), Size(64, 64))
    assert isinstance(placement, Placement)
    digests = Digests(folder, seen_at=0)
    return [
        Shown(
            cut=Cut(picture=picture, digest=digests.of(picture), placement=placement),
            captions=(f"{number}", f"{number}.5"),
            caption_dropout=0,
        )
        for number, picture in enumerate(LocalFolder(folder, dataset="a").pictures())
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EncodingCache:
    return EncodingCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def loader_of(shown: list[Shown], cache: EncodingCache) -> Callable[..., Loader]:
    def make(*, process_index: int = 0, **options: Any) -> Loader:
        config = TrainingConfig(model_family="sd1x", seed=5, **options)
        device = torch.device("cpu")
        bucket = Bucket(dataset="a", shape=Shape(Size(64, 64), 1), samples=tuple(range(NUM_SAMPLES)), repeats=0)
        return Loader(
            [replace(each, caption_dropout=config.caption_dropout_probability) for each in shown],
            EpochOrder([bucket], config, datasets=[DatasetConfig(id="a", instance_data_dir="/a")]),
            Encodings(Encoder(Numbers(), batch_size=1, device=device), cache),
            config=config,
            process_index=process_index,
            device=device,
        )

    return make


LoaderOf = Callable[..., Loader]


def test_batch_has_the_shapes_of_its_samples(loader_of: LoaderOf) -> None:
    batch = loader_of(train_batch_size=3).batch(0, micro_step=0)
    assert batch.latents.shape == (3, 4, 2, 2)
    assert batch.text_embeds["prompt_embeds"].shape == (3, 3, 2)


def test_batch_of_a_step_is_the_same_in_a_new_process(loader_of: LoaderOf) -> None:
    first = [loader_of(train_batch_size=4).batch(step, micro_step=0) for step in range(7)]
    loader = loader_of(train_batch_size=4)
    for step in (6, 2, 5):
        again = loader.batch(step, micro_step=0)
        assert torch.equal(again.latents, first[step].latents)
        assert torch.equal(again.text_embeds["prompt_embeds"], first[step].text_embeds["prompt_embeds"])
        assert again.seeds("noise", seed=5) == first[step].seeds("noise", seed=5)


def test_every_split_of_an_effective_batch_shows_the_same_samples(loader_of: LoaderOf) -> None:
    whole = loader_of(train_batch_size=6, caption_dropout_probability=0.5)
    split = [
        loader_of(
            process_index=process_index,
            train_batch_size=1,
            num_processes=2,
            gradient_accumulation_steps=3,
            caption_dropout_probability=0.5,
        )
        for process_index in range(2)
    ]
    for step in range(4):
        expected = whole.batch(step, micro_step=0)
        parts = [loader.batch(step, micro_step=micro) for micro in range(3) for loader in split]
        assert torch.equal(torch.cat([part.latents for part in parts]), expected.latents)
        texts = torch.cat([part.text_embeds["prompt_embeds"] for part in parts])
        assert torch.equal(texts, expected.text_embeds["prompt_embeds"])
        assert [seed for part in parts for seed in part.seeds("noise", seed=5)] == expected.seeds("noise", seed=5)


def test_every_position_of_every_step_has_a_seed_of_its_own(loader_of: LoaderOf) -> None:
    loader = loader_of(train_batch_size=6)
    seeds = [
        seed
        for step in range(20)
        for purpose in ("noise", "timestep")
        for seed in loader.batch(step, micro_step=0).seeds(purpose, seed=5)
    ]
    assert len(set(seeds)) == 20 * 2 * 6


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_captions_are_left_out_as_often_as_asked(loader_of: LoaderOf, probability: float) -> None:
    loader = loader_of(train_batch_size=6, caption_dropout_probability=probability)
    texts = torch.cat([loader.batch(step, micro_step=0).text_embeds["prompt_embeds"] for step in range(60)])
    assert (texts[:, 0, 0] == -1).float().mean().item() == pytest.approx(probability, abs=0.08)


def test_captions_of_a_picture_take_turns(loader_of: LoaderOf) -> None:
    loader = loader_of(train_batch_size=12, caption_dropout_probability=0)
    seen = set()
    for step in range(12):
        batch = loader.batch(step, micro_step=0)
        seen |= {
            (int(a), float(b) - int(a))
            for a, b in zip(batch.latents[:, 0, 0, 0], batch.text_embeds["prompt_embeds"][:, 0, 0], strict=True)
        }
    assert seen == {(number, offset) for number in range(NUM_SAMPLES) for offset in (0.0, 0.5)}
