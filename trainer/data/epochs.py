"""In which order samples are shown: a function of the seed and the step, so that a resumed run needs no state."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from domain.config.dataset import num_steps_per_epoch, smallest_repeats
from trainer.errors import TrainingError
from trainer.randomness import seed_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Samples of equal size, which may share a batch. samples: their places in the list of all."""

    name: str
    samples: tuple[int, ...]
    repeats: int

    @property
    def num_shown(self) -> int:
        """How many pictures one epoch shows."""
        return len(self.samples) * (self.repeats + 1)


def check_buckets(buckets: Sequence[Bucket], *, effective_batch_size: int) -> None:
    """Raises TrainingError when a bucket cannot fill an effective batch within an epoch."""
    problems = [
        f"dataset {bucket.name!r} has {len(bucket.samples)} pictures with repeats {bucket.repeats}, too few for an "
        f"effective batch of {effective_batch_size}; set its repeats to at least "
        f"{smallest_repeats(len(bucket.samples), effective_batch_size=effective_batch_size)}, add pictures, or lower "
        "train_batch_size, gradient_accumulation_steps or num_processes"
        for bucket in buckets
        if bucket.num_shown < effective_batch_size
    ]
    if problems:
        raise TrainingError("; ".join(problems))


class EpochOrder:
    """Every epoch shows each sample repeats + 1 times, shuffled anew, in effective batches of one bucket each.

    The last batch of a bucket is filled up from its next epoch. Steps count from 0 here: step s makes update s + 1.
    """

    def __init__(self, buckets: Sequence[Bucket], *, effective_batch_size: int, seed: int) -> None:
        check_buckets(buckets, effective_batch_size=effective_batch_size)
        self._buckets = tuple(buckets)
        self._size = effective_batch_size
        self._seed = seed
        self._epoch = -1
        self._batches: list[tuple[int, ...]] = []
        self.steps_per_epoch = sum(self._num_steps(bucket) for bucket in buckets)

    def samples_at(self, step: int) -> tuple[int, ...]:
        """The samples of one effective batch, in the order of their positions in it."""
        epoch, within = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._batches_of(epoch)
        return self._batches[within]

    def _num_steps(self, bucket: Bucket) -> int:
        return num_steps_per_epoch(len(bucket.samples), repeats=bucket.repeats, effective_batch_size=self._size)

    def _batches_of(self, epoch: int) -> list[tuple[int, ...]]:
        batches = []
        for place, bucket in enumerate(self._buckets):
            shown = self._shown(place, epoch) + self._shown(place, epoch + 1)
            starts = range(0, self._num_steps(bucket) * self._size, self._size)
            batches += [tuple(shown[start : start + self._size]) for start in starts]
        random.Random(seed_for("batches", self._seed, epoch)).shuffle(batches)
        return batches

    def _shown(self, place: int, epoch: int) -> list[int]:
        bucket = self._buckets[place]
        shown: list[int] = []
        for repeat in range(bucket.repeats + 1):
            samples = list(bucket.samples)
            random.Random(seed_for("order", self._seed, place, epoch, repeat)).shuffle(samples)
            shown += samples
        return shown
