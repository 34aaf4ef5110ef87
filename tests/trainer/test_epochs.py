"""The order of samples: whole epochs, the same again for the same seed and step."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from domain.config.buckets import Shape, Size
from domain.config.dataset import DatasetConfig
from domain.config.mixing import span_of
from domain.config.training import TrainingConfig
from trainer.data.epochs import Bucket, EpochOrder, plan_buckets
from trainer.errors import TrainingError


def bucket(num_samples: int, *, repeats: int = 0, start: int = 0, name: str = "a") -> Bucket:
    return Bucket(
        dataset=name, shape=Shape(Size(64, 64), 1), samples=tuple(range(start, start + num_samples)), repeats=repeats
    )


def config_of(effective_batch_size: int, **options: Any) -> TrainingConfig:
    return TrainingConfig(model_family="sd1x", train_batch_size=effective_batch_size, **options)


def dataset(name: str, **options: Any) -> DatasetConfig:
    return DatasetConfig(id=name, instance_data_dir=f"/{name}", **options)


def order_of(
    *buckets: Bucket,
    effective_batch_size: int,
    seed: int = 1,
    datasets: Sequence[DatasetConfig] | None = None,
    **options: Any,
) -> EpochOrder:
    known = datasets or [dataset(name) for name in {bucket.dataset: None for bucket in buckets}]
    return EpochOrder(buckets, config_of(effective_batch_size, seed=seed, **options), datasets=known)


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


# ---- whatever the datasets are -----------------------------------------------------------------------------------------

BUCKETS = some.lists(
    some.tuples(some.sampled_from("ab"), some.integers(1, 30), some.integers(0, 3)), min_size=1, max_size=5
)


def order_and_buckets(drawn: list[tuple[str, int, int]], effective: int, seed: int) -> tuple[EpochOrder, list[Bucket]]:
    """Buckets side by side by dataset, each with the next numbers as samples."""
    buckets, start = [], 0
    for name, num_samples, repeats in sorted(drawn):
        buckets.append(bucket(num_samples, repeats=repeats, start=start, name=name))
        start += num_samples
    order = order_of(*buckets, effective_batch_size=effective, seed=seed, allow_dataset_oversubscription=True)
    return order, buckets


@given(drawn=BUCKETS, effective=some.integers(1, 7), seed=some.integers(0, 3), epoch=some.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_every_epoch_shows_every_sample_as_often_as_its_repeats_say(
    drawn: list[tuple[str, int, int]], effective: int, seed: int, epoch: int
) -> None:
    order, buckets = order_and_buckets(drawn, effective, seed)
    shown = Counter(epoch_of(order, epoch))
    for each in buckets:
        wanted = each.repeats + 1
        counts = [shown[sample] for sample in each.samples]
        scheduled = -(-wanted * len(counts) // effective) * effective
        assert sum(counts) == scheduled
        assert min(counts) >= wanted
        if scheduled == wanted * len(counts):
            assert set(counts) == {wanted}


@given(drawn=BUCKETS, effective=some.integers(1, 7), seed=some.integers(0, 3), steps=some.lists(some.integers(0, 200)))
@settings(max_examples=150, deadline=None)
def test_any_step_is_what_it_would_have_been_and_never_mixes_sizes(
    drawn: list[tuple[str, int, int]], effective: int, seed: int, steps: list[int]
) -> None:
    order, buckets = order_and_buckets(drawn, effective, seed)
    for step in steps:
        samples = order_and_buckets(drawn, effective, seed)[0].samples_at(step)
        assert order.samples_at(step) == samples
        assert len(samples) == effective
        assert len({place for place, each in enumerate(buckets) if set(samples) & set(each.samples)}) == 1


# ---- several datasets -------------------------------------------------------------------------------------------------


def turns(order: EpochOrder, steps: range) -> str:
    """Of samples below 100, dataset a."""
    return "".join("a" if order.samples_at(step)[0] < 100 else "b" for step in steps)


def two(*, first: dict[str, Any], second: dict[str, Any], **options: Any) -> EpochOrder:
    """Ten samples of a and twenty of b, one at a time."""
    return order_of(
        bucket(10),
        bucket(20, start=100, name="b"),
        datasets=[dataset("a", **first), dataset("b", **second)],
        effective_batch_size=1,
        **options,
    )


def test_dataset_that_starts_late_joins_within_an_epoch() -> None:
    order = two(first={}, second={"start_step": 6})
    assert turns(order, range(5)) == "aaaaa"
    assert Counter(turns(order, range(30))) == {"a": 10, "b": 20}
    assert [order.epoch_of(step) for step in (0, 29, 30)] == [0, 0, 1]


def test_dataset_of_a_later_epoch_is_left_out_before() -> None:
    order = two(first={}, second={"start_epoch": 3})
    assert turns(order, range(20)) == "a" * 20
    assert [order.epoch_of(step) for step in (9, 10, 19, 20, 49, 50)] == [0, 1, 1, 2, 2, 3]


def test_dataset_that_ends_is_left_out_afterwards() -> None:
    order = two(first={}, second={"end_step": 12}, num_train_epochs=3, max_train_steps=0)
    assert "b" not in turns(order, range(12, order.total_steps))
    assert order.total_steps == 30 + turns(order, range(12)).count("b")


def test_run_of_steps_without_dataset_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"no dataset takes part after step 12 of 100; .* max_train_steps to 12"):
        two(first={"end_step": 9}, second={"end_step": 12}, max_train_steps=100)
    with pytest.raises(TrainingError, match="no dataset takes part in the first step"):
        two(first={"start_epoch": 2}, second={"start_step": 5})


@given(
    spans=some.lists(
        some.fixed_dictionaries(
            {
                "start_epoch": some.integers(0, 4),
                "end_epoch": some.none() | some.integers(1, 5),
                "start_step": some.integers(0, 60),
                "end_step": some.none() | some.integers(1, 80),
                "probability": some.floats(0.1, 5),
            }
        ),
        min_size=1,
        max_size=2,
    ),
    seed=some.integers(0, 3),
)
@settings(max_examples=150, deadline=None)
def test_datasets_with_spans_are_shown_in_them_alone(spans: list[dict[str, Any]], seed: int) -> None:
    always = dataset("a")
    others = [dataset(f"b{place}", **span) for place, span in enumerate(spans)]
    buckets = [bucket(4), *(bucket(9, start=100 * (place + 1), name=f"b{place}") for place in range(len(spans)))]
    order = order_of(*buckets, datasets=[always, *others], effective_batch_size=1, seed=seed, max_train_steps=150)
    shown = []
    for step in range(150):
        (sample,) = order.samples_at(step)
        shown.append((order.epoch_of(step), sample))
        if sample >= 100:
            assert span_of(others[sample // 100 - 1]).holds(epoch=shown[-1][0] + 1, step=step + 1)
    last = shown[-1][0]
    assert [epoch for epoch, _ in shown] == sorted(epoch for epoch, _ in shown)
    for epoch in range(last):
        assert sorted(sample for each, sample in shown if each == epoch and sample < 100) == [0, 1, 2, 3]
    again = order_of(*buckets, datasets=[always, *others], effective_batch_size=1, seed=seed, max_train_steps=150)
    assert [again.samples_at(step)[0] for step in (149, 0, 70)] == [shown[step][1] for step in (149, 0, 70)]
