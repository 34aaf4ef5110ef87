"""Batches are a function of the step, and processes share them without gap or overlap."""

from typing import Any

import pytest
import torch

from domain.config.buckets import Size
from domain.config.training import TrainingConfig
from trainer.data.cache import EncodingCache
from trainer.data.epochs import Bucket, EpochOrder
from trainer.data.loader import Batch, EncodedSample, Loader

NUM_SAMPLES = 12
NO_CAPTION_KEY = "0" * 40


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> EncodingCache:
    """Latents full of the sample's number, text embeds too; those of the empty caption are -1."""
    cache = EncodingCache(tmp_path_factory.mktemp("cache"))
    cache.write(NO_CAPTION_KEY, {"prompt_embeds": torch.full((3, 2), -1.0)})
    for number in range(NUM_SAMPLES):
        picture = {"latents": torch.full((4, 2, 2), float(number)), "geometry": torch.full((6,), float(number))}
        cache.write(f"1{number:039}", picture)
        for caption in range(2):
            cache.write(f"2{number:038}{caption}", {"prompt_embeds": torch.full((3, 2), number + caption / 2)})
    return cache


def loader_of(cache: EncodingCache, *, process_index: int = 0, **options: Any) -> Loader:
    config = TrainingConfig(model_family="sd1x", seed=5, **options)
    samples = [
        EncodedSample(
            latents_key=f"1{number:039}",
            text_keys=(f"2{number:038}0", f"2{number:038}1"),
            caption_dropout=config.caption_dropout_probability,
        )
        for number in range(NUM_SAMPLES)
    ]
    bucket = Bucket(dataset="a", size=Size(16, 16), samples=tuple(range(NUM_SAMPLES)), repeats=0)
    return Loader(
        samples,
        EpochOrder([bucket], config),
        cache,
        config=config,
        no_caption_key=NO_CAPTION_KEY,
        process_index=process_index,
        device=torch.device("cpu"),
    )


def samples_in(batch: Batch) -> list[int]:
    return [int(each) for each in batch.latents[:, 0, 0, 0]]


def test_batch_has_the_shapes_of_its_samples(cache: EncodingCache) -> None:
    batch = loader_of(cache, train_batch_size=3).batch(0, micro_step=0)
    assert batch.latents.shape == (3, 4, 2, 2)
    assert batch.text_embeds["prompt_embeds"].shape == (3, 3, 2)


def test_batch_of_a_step_is_the_same_in_a_new_process(cache: EncodingCache) -> None:
    first = [loader_of(cache, train_batch_size=4).batch(step, micro_step=0) for step in range(7)]
    loader = loader_of(cache, train_batch_size=4)
    for step in (6, 2, 5):
        again = loader.batch(step, micro_step=0)
        assert torch.equal(again.latents, first[step].latents)
        assert torch.equal(again.text_embeds["prompt_embeds"], first[step].text_embeds["prompt_embeds"])
        assert again.seeds("noise", seed=5) == first[step].seeds("noise", seed=5)


def test_every_split_of_an_effective_batch_shows_the_same_samples(cache: EncodingCache) -> None:
    whole = loader_of(cache, train_batch_size=6, caption_dropout_probability=0.5)
    split = [
        loader_of(
            cache,
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


def test_every_position_of_every_step_has_a_seed_of_its_own(cache: EncodingCache) -> None:
    loader = loader_of(cache, train_batch_size=6)
    seeds = [
        seed
        for step in range(20)
        for purpose in ("noise", "timestep")
        for seed in loader.batch(step, micro_step=0).seeds(purpose, seed=5)
    ]
    assert len(set(seeds)) == 20 * 2 * 6


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_captions_are_left_out_as_often_as_asked(cache: EncodingCache, probability: float) -> None:
    loader = loader_of(cache, train_batch_size=6, caption_dropout_probability=probability)
    texts = torch.cat([loader.batch(step, micro_step=0).text_embeds["prompt_embeds"] for step in range(60)])
    assert (texts[:, 0, 0] == -1).float().mean().item() == pytest.approx(probability, abs=0.08)


def test_captions_of_a_picture_take_turns(cache: EncodingCache) -> None:
    loader = loader_of(cache, train_batch_size=12, caption_dropout_probability=0)
    seen = set()
    for step in range(12):
        batch = loader.batch(step, micro_step=0)
        seen |= {
            (int(a), float(b) - int(a))
            for a, b in zip(batch.latents[:, 0, 0, 0], batch.text_embeds["prompt_embeds"][:, 0, 0], strict=True)
        }
    assert seen == {(number, offset) for number in range(NUM_SAMPLES) for offset in (0.0, 0.5)}
