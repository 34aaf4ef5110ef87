"""How the batches of several datasets take turns: within an epoch by their probability, over a run by their spans.

In an epoch every dataset that takes part shows all it has, repeats and all. Each step draws the dataset of its batch; one
that has shown everything leaves the draw until the next epoch. So repeats say how often a picture counts, and the
probability how early in the epoch. The pre-flight and the trainer plan with the same functions.
"""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from domain.config.batches import EpochPlan
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig

Sampling = Literal["auto-weighting", "uniform"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From which epoch and step on a dataset is trained on, and up to which; both count from 1."""

    start_epoch: int = 1
    end_epoch: int | None = None
    start_step: int = 1
    end_step: int | None = None

    def holds(self, *, epoch: int, step: int) -> bool:
        is_over = (self.end_epoch is not None and epoch > self.end_epoch) or (
            self.end_step is not None and step > self.end_step
        )
        return epoch >= self.start_epoch and step >= self.start_step and not is_over

    @property
    def last_change(self) -> tuple[int, int]:
        """The epoch and the step from which on it stays as it is."""
        return max(self.start_epoch, (self.end_epoch or 0) + 1), max(self.start_step, (self.end_step or 0) + 1)

    def change_after(self, step: int) -> int | None:
        """The next step that may be other than this one."""
        changes = (self.start_step, None if self.end_step is None else self.end_step + 1)
        return min((each for each in changes if each is not None and each > step), default=None)


def span_of(dataset: DatasetConfig) -> Span:
    return Span(
        start_epoch=max(1, dataset.start_epoch),
        end_epoch=dataset.end_epoch,
        start_step=max(1, dataset.start_step),
        end_step=dataset.end_step,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one dataset brings to an epoch."""

    dataset: str
    num_batches: int
    probability: float = 1.0
    span: Span = Span()


class Mixture:
    """Epochs and steps count from 0 here. An epoch in which no dataset takes part has no step."""

    def __init__(self, shares: Sequence[Share], *, seed: int, sampling: Sampling = "auto-weighting") -> None:
        self._shares = tuple(shares)
        self._seed = seed
        self._weights = [
            share.probability * (share.num_batches if sampling == "auto-weighting" else 1) for share in shares
        ]
        self._last_epoch = max((share.span.last_change[0] for share in shares), default=1) - 1
        self._last_step = max((share.span.last_change[1] for share in shares), default=1) - 1
        self._firsts = [0]

    def first_step(self, epoch: int) -> int:
        while len(self._firsts) <= epoch and not self._is_settled():
            self._extend()
        if epoch < len(self._firsts):
            return self._firsts[epoch]
        return self._firsts[-1] + (epoch - self._newest) * self.num_steps(self._newest)

    def epoch_of(self, step: int) -> int | None:
        """None when no dataset takes part in that step."""
        while self._firsts[-1] <= step and not self._is_settled():
            self._extend()
        if self._firsts[-1] > step:
            return bisect_right(self._firsts, step) - 1
        length = self.num_steps(self._newest)
        return self._newest + (step - self._firsts[-1]) // length if length else None

    def num_steps(self, epoch: int) -> int:
        first = self.first_step(epoch)
        parts = [share for share in self._shares if share.span.start_epoch <= epoch + 1]
        end = first + sum(share.num_batches for share in parts)
        if any((share.span.change_after(first + 1) or end + 1) <= end for share in parts):
            return len(self.draws(epoch))
        return sum(
            share.num_batches
            for share in parts
            if share.num_batches and share.span.holds(epoch=epoch + 1, step=first + 1)
        )

    def draws(self, epoch: int) -> list[int]:
        """The place of the share that each step of the epoch shows a batch of."""
        random_numbers = random.Random(f"mixture:{self._seed}:{epoch}")
        left = [share.num_batches for share in self._shares]
        step = self.first_step(epoch) + 1
        drawn: list[int] = []
        while places := [place for place in range(len(left)) if left[place] and self._holds(place, epoch, step)]:
            changes = [self._shares[place].span.change_after(step) for place in range(len(left))]
            until = min((each for each in changes if each is not None), default=step + sum(left))
            weights = list(accumulate(self._weights[place] for place in places))
            while step < until:
                place = random_numbers.choices(places, cum_weights=weights)[0]
                drawn.append(place)
                left[place] -= 1
                step += 1
                if not left[place]:
                    break
        return drawn

    def problem(self, *, total_steps: int) -> str | None:
        """Why a run of that many steps cannot be."""
        if not self._shares:
            return None
        if self.epoch_of(0) != 0:
            return "no dataset takes part in the first step; give one of them start_epoch 1 and start_step 0"
        if total_steps and self.epoch_of(total_steps - 1) is None:
            last = self._firsts[-1]
            return (
                f"no dataset takes part after step {last} of {total_steps}; let one end later, start one earlier, or "
                f"set max_train_steps to {last}"
            )
        return None

    @property
    def _newest(self) -> int:
        return len(self._firsts) - 1

    def _extend(self) -> None:
        self._firsts.append(self._firsts[-1] + self.num_steps(self._newest))

    def _is_settled(self) -> bool:
        """The newest epoch known is like all that follow: no span begins or ends any more, or no step can follow."""
        if self._newest < self._last_epoch:
            return False
        return self._firsts[-1] >= self._last_step or not self.num_steps(self._newest)

    def _holds(self, place: int, epoch: int, step: int) -> bool:
        return self._shares[place].span.holds(epoch=epoch + 1, step=step)


def mixture_of(plan: EpochPlan, datasets: Sequence[DatasetConfig], config: TrainingConfig) -> Mixture:
    """Datasets of which nothing is trained on have no share."""
    by_id = {dataset.id: dataset for dataset in datasets}
    batches: dict[str, int] = {}
    for bucket in plan.buckets:
        batches[bucket.count.dataset] = batches.get(bucket.count.dataset, 0) + bucket.scheduled
    shares = [
        Share(
            dataset=dataset,
            num_batches=scheduled // plan.effective_batch_size,
            probability=by_id[dataset].probability,
            span=span_of(by_id[dataset]),
        )
        for dataset, scheduled in batches.items()
        if scheduled
    ]
    return Mixture(shares, seed=config.seed, sampling=config.data_backend_sampling)
