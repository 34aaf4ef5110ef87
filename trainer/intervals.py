"""What comes back every so many steps or epochs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """steps, epochs: between two times, each None for never. Epochs need not be whole: half of one is twice an epoch."""

    steps: int | None = None
    epochs: float | None = None
    steps_per_epoch: int

    def is_due(self, step: int) -> bool:
        """After a step; the first one is 1."""
        return self._is_due_by_steps(step) or self._is_due_by_epochs(step)

    def _is_due_by_steps(self, step: int) -> bool:
        return self.steps is not None and step % self.steps == 0

    def _is_due_by_epochs(self, step: int) -> bool:
        """When the step completes another multiple of the epochs."""
        if self.epochs is None:
            return False
        length = self.epochs * self.steps_per_epoch
        return int(step / length) > int((step - 1) / length)
