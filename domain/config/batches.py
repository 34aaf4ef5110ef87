"""How often the pictures of an aspect bucket are shown in an epoch, and whether they can fill an effective batch.

The pre-flight and the trainer plan with the same function, so what the one refuses the other would.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketCount:
    """Pictures of one dataset and one size. bucket: for people, for example 1344×768."""

    dataset: str
    bucket: str
    num_images: int
    repeats: int

    @property
    def num_shown(self) -> int:
        """How many pictures one epoch shows, before anything is filled up."""
        return self.num_images * (self.repeats + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBucket:
    """scheduled: pictures shown in an epoch, a multiple of the effective batch; 0 when the bucket is not trained on.

    smallest_repeats: with which it would fill one effective batch. is_usable: it does so, by itself or filled up.
    """

    count: BucketCount
    scheduled: int
    smallest_repeats: int
    is_usable: bool

    @property
    def num_padded(self) -> int:
        """How many more pictures are shown than the repeats ask for."""
        return max(0, self.scheduled - self.count.num_shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPlan:
    """buckets: in the order given, without those that hold nothing. undersized: those that keep a run from starting."""

    effective_batch_size: int
    buckets: tuple[PlannedBucket, ...]
    undersized: tuple[PlannedBucket, ...]

    @property
    def steps_per_epoch(self) -> int:
        return sum(bucket.scheduled for bucket in self.buckets) // self.effective_batch_size

    def explain(self) -> tuple[str, ...]:
        """Of each bucket that is too small: its pictures and the smallest repeats that would do."""
        return tuple(
            f"the {bucket.count.bucket} bucket of dataset {bucket.count.dataset!r} has {bucket.count.num_images} "
            f"pictures with repeats {bucket.count.repeats}, too few for an effective batch of "
            f"{self.effective_batch_size}; set its repeats to at least {bucket.smallest_repeats}"
            for bucket in self.undersized
        )

    @property
    def filled_up(self) -> tuple[PlannedBucket, ...]:
        """Those that would be too small, were they not shown more often than their repeats say."""
        return tuple(
            bucket for bucket in self.buckets if bucket.is_usable and bucket.count.num_shown < self.effective_batch_size
        )

    @property
    def left_out(self) -> tuple[PlannedBucket, ...]:
        """Those that are too small and keep nothing from starting."""
        return () if self.undersized else tuple(bucket for bucket in self.buckets if not bucket.is_usable)

    def explain_filled_up(self, *, at_most: int) -> str:
        named = (
            f"the {bucket.count.bucket} bucket of dataset {bucket.count.dataset!r} by {bucket.num_padded} pictures, "
            f"from {bucket.count.num_shown} to {bucket.scheduled}"
            for bucket in self.filled_up
        )
        return "shown more often than their repeats say, to fill an effective batch: " + _listed(named, at_most)

    def explain_left_out(self, *, at_most: int) -> str:
        named = (
            f"the {bucket.count.bucket} bucket of dataset {bucket.count.dataset!r} with {bucket.count.num_images} pictures"
            for bucket in self.left_out
        )
        return "not trained on, because they cannot fill an effective batch: " + _listed(named, at_most)


def _listed(named: Iterable[str], at_most: int) -> str:
    all_named = list(named)
    more = f", and {len(all_named) - at_most} more" if len(all_named) > at_most else ""
    return ", ".join(all_named[:at_most]) + more


def plan_epoch(
    counts: Sequence[BucketCount], *, effective_batch_size: int, oversubscribes: bool = False, prunes: bool = False
) -> EpochPlan:
    """Every bucket that holds pictures must fill an effective batch.

    oversubscribes: one that does not is filled up to the next multiple. prunes: it is left out, which must leave
    something. The last batch of a bucket is filled from its next epoch, so that every picture is shown.
    """
    planned = [
        _planned(count, effective_batch_size, oversubscribes=oversubscribes) for count in counts if count.num_images
    ]
    undersized = [bucket for bucket in planned if not bucket.is_usable]
    can_prune = prunes and len(undersized) < len(planned)
    return EpochPlan(
        effective_batch_size=effective_batch_size,
        buckets=tuple(planned),
        undersized=() if can_prune else tuple(undersized),
    )


def smallest_repeats(num_images: int, *, effective_batch_size: int) -> int:
    """The smallest repeats with which the pictures fill one effective batch: ceil(effective / n) - 1, never below 0."""
    return max(0, math.ceil(effective_batch_size / num_images) - 1)


def _planned(count: BucketCount, effective_batch_size: int, *, oversubscribes: bool) -> PlannedBucket:
    is_usable = oversubscribes or count.num_shown >= effective_batch_size
    return PlannedBucket(
        count=count,
        scheduled=math.ceil(count.num_shown / effective_batch_size) * effective_batch_size if is_usable else 0,
        smallest_repeats=smallest_repeats(count.num_images, effective_batch_size=effective_batch_size),
        is_usable=is_usable,
    )
