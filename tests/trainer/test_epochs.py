"""The order of samples: whole epochs, the same again for the same seed and step."""

from collections import Counter
from typing import Any

import pytest

from domain.config.buckets import Size
from domain.config.training import TrainingConfig
from trainer.data.epochs import Bucket, EpochOrder, plan_buckets
from trainer.errors import TrainingError


def bucket(num_samples: int, *, repeats: int = 0, start: int = 0, name: str = "a") -> Bucket:
    return Bucket(dataset=name, size=Size(64, 64), samples=tuple(range(start, start + num_samples)), repeats=repeats)


def config_of(effective_batch_size: int, **options: Any) -> TrainingConfig:
    return TrainingConfig(model_family="sd1x", train_batch_size=effective_batch_size, **options)


def order_of(*buckets: Bucket, effective_batch_size: int, seed: int = 1, **options: Any) -> EpochOrder:
    return EpochOrder(buckets, config_of(effective_batch_size, seed=seed, **options))


def epoch_of(order: EpochOrder, epoch: int) -> list[int]:
    steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
    return [sample for step in steps for sample in order.samples_at(step)]


def test_epoch_shows_every_sample_once() -> None:
    order = order_of(bucket(12), effective_batch_size=4)
    assert order.steps_per_epoch == 3
    assert [sorted(epoch_of(order, epoch)) for epoch in range(3)] == [list(range(12))] * 3


def test_epochs_are_shuffled_each_in_its_own_way() -> None:
    order = order_of(bucket(12), effective_batch_size=4)
    assert len({tuple(epoch_of(order, epoch)) for epoch in range(5)}) == 5


def test_repeats_are_further_passes() -> None:
    order = order_of(bucket(3, repeats=2), effective_batch_size=3)
    assert [sorted(order.samples_at(step)) for step in range(3)] == [[0, 1, 2]] * 3


def test_last_batch_is_filled_from_the_next_epoch() -> None:
    order = order_of(bucket(5), effective_batch_size=4)
    assert order.steps_per_epoch == 2
    shown = Counter(epoch_of(order, 0))
    assert sorted(shown) == [0, 1, 2, 3, 4]
    assert sum(shown.values()) == 8
    assert max(shown.values()) == 2


def test_batches_never_mix_buckets() -> None:
    order = order_of(bucket(4), bucket(6, start=4, name="b"), effective_batch_size=2)
    assert order.steps_per_epoch == 5
    for step in range(20):
        assert len({sample < 4 for sample in order.samples_at(step)}) == 1


def test_buckets_take_turns_at_random() -> None:
    order = order_of(bucket(8), bucket(8, start=8, name="b"), effective_batch_size=1)
    turns = [order.samples_at(step)[0] < 8 for step in range(16)]
    assert turns not in ([True] * 8 + [False] * 8, [False] * 8 + [True] * 8)


def test_order_at_a_step_does_not_depend_on_earlier_steps() -> None:
    buckets = [bucket(7), bucket(5, start=7, repeats=1, name="b")]
    order = order_of(*buckets, effective_batch_size=3, seed=9)
    shown = [order.samples_at(step) for step in range(40)]
    for step in (39, 0, 17, 18, 3):
        assert order_of(*buckets, effective_batch_size=3, seed=9).samples_at(step) == shown[step]
        assert order.samples_at(step) == shown[step]


def test_another_seed_is_another_order() -> None:
    first, second = (order_of(bucket(12), effective_batch_size=4, seed=seed) for seed in (1, 2))
    assert epoch_of(first, 0) != epoch_of(second, 0)


def test_bucket_smaller_than_the_effective_batch_is_refused_with_the_smallest_repeats() -> None:
    with pytest.raises(TrainingError, match=r"'a' has 5 pictures with repeats 0.* at least 1"):
        plan_buckets([bucket(5)], config_of(8))


def test_bucket_that_repeats_fill_up_is_accepted() -> None:
    plan_buckets([bucket(5, repeats=1)], config_of(8))


def test_bucket_that_is_filled_up_shows_its_pictures_about_equally_often() -> None:
    order = order_of(bucket(5), effective_batch_size=32, allow_dataset_oversubscription=True)
    assert order.steps_per_epoch == 1
    for step in range(3):
        shown = Counter(order.samples_at(step))
        assert (sorted(shown), sum(shown.values())) == ([0, 1, 2, 3, 4], 32)
        assert set(shown.values()) <= {6, 7}


def test_bucket_that_is_pruned_is_never_shown() -> None:
    order = order_of(bucket(3), bucket(8, start=3, name="b"), effective_batch_size=4, allow_bucket_pruning=True)
    assert order.steps_per_epoch == 2
    assert sorted(epoch_of(order, 0)) == list(range(3, 11))
