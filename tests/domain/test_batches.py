"""What a bucket shows in an epoch, and which are too small for an effective batch."""

import pytest

from domain.config.batches import BucketCount, EpochPlan, plan_epoch, smallest_repeats


def count(num_images: int, *, repeats: int = 0, bucket: str = "64×64") -> BucketCount:
    return BucketCount(dataset="ink", bucket=bucket, num_images=num_images, repeats=repeats)


def plan_of(*counts: BucketCount, effective: int, oversubscribes: bool = False, prunes: bool = False) -> EpochPlan:
    return plan_epoch(counts, effective_batch_size=effective, oversubscribes=oversubscribes, prunes=prunes)


@pytest.mark.parametrize(
    ("images", "batch", "devices", "accumulation", "repeats", "smallest", "filled_up"),
    [(25, 4, 8, 1, 0, 1, 32), (5, 2, 2, 2, 0, 1, 8)],
)
def test_bucket_that_cannot_fill_a_batch_is_refused_or_filled_up(
    images: int, batch: int, devices: int, accumulation: int, repeats: int, smallest: int, filled_up: int
) -> None:
    effective = batch * devices * accumulation
    plan = plan_of(count(images, repeats=repeats), effective=effective)
    assert [bucket.smallest_repeats for bucket in plan.undersized] == [smallest]
    (bucket,) = plan_of(count(images, repeats=repeats), effective=effective, oversubscribes=True).buckets
    assert (bucket.is_usable, bucket.scheduled, bucket.num_padded) == (True, filled_up, filled_up - images)


@pytest.mark.parametrize(
    ("images", "batch", "devices", "accumulation", "repeats", "steps"),
    [(32, 4, 8, 1, 0, 1), (5, 2, 2, 2, 1, 2), (100, 1, 1, 1, 0, 100), (10, 8, 1, 1, 1, 3)],
)
def test_bucket_that_fills_batches_makes_steps(
    images: int, batch: int, devices: int, accumulation: int, repeats: int, steps: int
) -> None:
    plan = plan_of(count(images, repeats=repeats), effective=batch * devices * accumulation)
    assert (plan.undersized, plan.steps_per_epoch) == ((), steps)


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
