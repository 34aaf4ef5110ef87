"""What a bucket shows in an epoch, and which are too small for an effective batch: the table of the existing tool, with our results."""

import pytest

from domain.config.batches import BucketCount, EpochPlan, plan_epoch, smallest_repeats
from domain.config.training import TrainingConfig


def count(num_images: int, *, repeats: int = 0, bucket: str = "64×64") -> BucketCount:
    return BucketCount(dataset="ink", bucket=bucket, num_images=num_images, repeats=repeats)


def config_of(batch: int, devices: int, accumulation: int) -> TrainingConfig:
    return TrainingConfig(
        model_family="sd1x",
        train_batch_size=batch,
        num_processes=devices,
        gradient_accumulation_steps=accumulation,
    )


def plan_of(*counts: BucketCount, effective: int, oversubscribes: bool = False, prunes: bool = False) -> EpochPlan:
    return plan_epoch(counts, effective_batch_size=effective, oversubscribes=oversubscribes, prunes=prunes)


@pytest.mark.parametrize(
    ("images", "batch", "devices", "accumulation", "repeats", "effective", "smallest", "filled_up"),
    [
        (25, 4, 8, 1, 0, 32, 1, 32),
        (5, 2, 2, 2, 0, 8, 1, 8),
    ],
)
def test_bucket_that_cannot_fill_a_batch_is_refused_or_filled_up(
    images: int,
    batch: int,
    devices: int,
    accumulation: int,
    repeats: int,
    effective: int,
    smallest: int,
    filled_up: int,
) -> None:
    assert config_of(batch, devices, accumulation).effective_batch_size == effective
    plan = plan_of(count(images, repeats=repeats), effective=effective)
    assert [bucket.smallest_repeats for bucket in plan.undersized] == [smallest]
    filled = plan_of(count(images, repeats=repeats), effective=effective, oversubscribes=True)
    assert [(bucket.scheduled, bucket.num_padded) for bucket in filled.filled_up] == [(filled_up, filled_up - images)]
    assert filled.undersized == ()


@pytest.mark.parametrize(
    ("images", "batch", "devices", "accumulation", "repeats", "effective", "steps"),
    [
        (32, 4, 8, 1, 0, 32, 1),
        (5, 2, 2, 2, 1, 8, 2),
        (100, 1, 1, 1, 0, 1, 100),
        (10, 8, 1, 1, 1, 8, 3),
    ],
)
def test_bucket_that_fills_batches_makes_steps(
    images: int, batch: int, devices: int, accumulation: int, repeats: int, effective: int, steps: int
) -> None:
    assert config_of(batch, devices, accumulation).effective_batch_size == effective
    plan = plan_of(count(images, repeats=repeats), effective=effective)
    assert (plan.undersized, plan.filled_up, plan.steps_per_epoch) == ((), (), steps)


def test_what_is_filled_up_and_left_out_is_told_with_numbers() -> None:
    filled = plan_of(count(100), count(3, repeats=1, bucket="96×40"), effective=8, oversubscribes=True)
    assert filled.explain_filled_up(at_most=5) == (
        "shown more often than their repeats say, to fill an effective batch: "
        "the 96×40 bucket of dataset 'ink' by 2 pictures, from 6 to 8"
    )
    pruned = plan_of(count(100), count(3, bucket="96×40"), count(2), effective=8, prunes=True)
    assert pruned.explain_left_out(at_most=1) == (
        "not trained on, because they cannot fill an effective batch: "
        "the 96×40 bucket of dataset 'ink' with 3 pictures, and 1 more"
    )


def test_one_bucket_that_is_too_small_is_enough_to_refuse() -> None:
    plan = plan_of(count(100), count(3, bucket="96×40"), effective=4)
    assert plan.explain() == (
        "the 96×40 bucket of dataset 'ink' has 3 pictures with repeats 0, too few for an effective batch of 4; "
        "set its repeats to at least 1",
    )


def test_bucket_without_pictures_counts_for_nothing() -> None:
    assert plan_of(count(0), count(4), effective=4).steps_per_epoch == 1


def test_pruning_leaves_out_what_is_too_small() -> None:
    plan = plan_of(count(100), count(3), effective=4, prunes=True)
    assert (plan.undersized, plan.steps_per_epoch) == ((), 25)
    assert [(bucket.scheduled, bucket.is_usable) for bucket in plan.buckets] == [(100, True), (0, False)]


def test_pruning_must_leave_something() -> None:
    assert len(plan_of(count(2), count(3), effective=4, prunes=True).undersized) == 2


def test_filling_up_goes_before_pruning() -> None:
    plan = plan_of(count(3), effective=8, prunes=True, oversubscribes=True)
    assert [bucket.scheduled for bucket in plan.buckets] == [8]


@pytest.mark.parametrize(
    ("num_images", "effective_batch_size", "repeats"), [(25, 32, 1), (5, 8, 1), (100, 1, 0), (32, 32, 0), (1, 9, 8)]
)
def test_smallest_repeats_fill_one_effective_batch(num_images: int, effective_batch_size: int, repeats: int) -> None:
    assert smallest_repeats(num_images, effective_batch_size=effective_batch_size) == repeats
    assert plan_of(count(num_images, repeats=repeats), effective=effective_batch_size).undersized == ()
