"""In which order samples are shown: a function of the seed and the step, so that a resumed run needs no state."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from domain.config.batches import BucketCount, EpochPlan, plan_epoch
from domain.config.buckets import Shape
from domain.config.dataset import DatasetConfig
from domain.config.mixing import mixture_of
from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.randomness import seed_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Samples of one dataset and of equal shape, which may share a batch. samples: their places in the list of all."""

    dataset: str
    shape: Shape
    samples: tuple[int, ...]
    repeats: int


def plan_buckets(buckets: Sequence[Bucket], config: TrainingConfig) -> EpochPlan:
    """Raises TrainingError when a bucket cannot fill an effective batch within an epoch."""
    plan = plan_epoch(
        [
            BucketCount(
                dataset=bucket.dataset,
                bucket=str(bucket.shape),
                num_images=len(bucket.samples),
                repeats=bucket.repeats,
            )
            for bucket in buckets
        ],
        effective_batch_size=config.effective_batch_size,
        oversubscribes=config.allow_dataset_oversubscription,
        prunes=config.allow_bucket_pruning,
    )
    if plan.undersized:
        raise TrainingError(
            f"{'; '.join(plan.explain())}. Add pictures, lower train_batch_size, gradient_accumulation_steps or "
            "num_processes, or set allow_dataset_oversubscription to show these pictures more often"
        )
    return plan


class EpochOrder:
    """Every epoch shows each sample repeats + 1 times, shuffled anew, in effective batches of one bucket each.

    The last batch of a bucket is filled up from its next epochs. Datasets take turns as domain.config.mixing says; one that
    ends within an epoch shows only a part there. Steps and epochs count from 0 here: step s makes update s + 1.
    """

    def __init__(self, buckets: Sequence[Bucket], config: TrainingConfig, *, datasets: Sequence[DatasetConfig]) -> None:
        """No bucket may be empty, and those of one dataset lie side by side. Raises TrainingError for those that are too
        small, and for steps in which no dataset takes part."""
        self._buckets = tuple(buckets)
        self._plan = plan_buckets(buckets, config)
        self._mixture = mixture_of(self._plan, datasets, config)
        self._size = config.effective_batch_size
        self._seed = config.seed
        self._guard = threading.RLock()  # a thread reads ahead
        self._epoch = -1
        self._batches: list[tuple[int, ...]] = []
        self.steps_per_epoch = self._mixture.num_steps(0)
        self.total_steps = config.max_train_steps or self._mixture.first_step(config.num_train_epochs)
        problem = self._mixture.problem(total_steps=self.total_steps)
        if problem is not None:
            raise TrainingError(problem)

    def epoch_of(self, step: int) -> int:
        with self._guard:
            epoch = self._mixture.epoch_of(step)
        if epoch is None:
            raise TrainingError(f"no dataset takes part in step {step + 1}")
        return epoch

    def samples_at(self, step: int) -> tuple[int, ...]:
        """The samples of one effective batch, in the order of their positions in it."""
        with self._guard:
            epoch = self.epoch_of(step)
            if epoch != self._epoch:
                self._epoch, self._batches = epoch, self._batches_of(epoch)
            return self._batches[step - self._mixture.first_step(epoch)]

    def _batches_of(self, epoch: int) -> list[tuple[int, ...]]:
        of_datasets = [iter(batches) for batches in self._batches_by_dataset(epoch).values()]
        return [next(of_datasets[place]) for place in self._mixture.draws(epoch)]

    def _batches_by_dataset(self, epoch: int) -> dict[str, list[tuple[int, ...]]]:
        """Of those that are trained on, each with its batches in random order."""
        by_dataset: dict[str, list[tuple[int, ...]]] = {}
        for place, planned in enumerate(self._plan.buckets):
            if not planned.scheduled:
                continue
            shown: list[int] = []
            for passed in count(epoch):
                if len(shown) >= planned.scheduled:
                    break
                shown += self._shown(place, passed)
            starts = range(0, planned.scheduled, self._size)
            batches = by_dataset.setdefault(planned.count.dataset, [])
            batches += [tuple(shown[start : start + self._size]) for start in starts]
        for number, batches in enumerate(by_dataset.values()):
            random.Random(seed_for("batches", self._seed, number, epoch)).shuffle(batches)
        return by_dataset

    def _shown(self, place: int, epoch: int) -> list[int]:
        bucket = self._buckets[place]
        shown: list[int] = []
        for repeat in range(bucket.repeats + 1):
            samples = list(bucket.samples)
            random.Random(seed_for("order", self._seed, place, epoch, repeat)).shuffle(samples)
            shown += samples
        return shown
