"""A running average of the trained weights (Polyak and Juditsky 1992; EMA) beside the last ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import Parameter

from domain.config.training import TrainingConfig
from trainer.errors import TrainingError
from trainer.trained.trained import Trained


class Average:
    """In fp32. How far an update goes depends on the step alone, so that nothing but the weights has to be saved."""

    def __init__(self, trained: Trained, config: TrainingConfig, *, device: torch.device) -> None:
        self._trained = trained
        self._interval = config.ema_update_interval
        self._device = device
        self._home = device if config.ema_device == "accelerator" else torch.device("cpu")
        self._updated_on = self._home if config.ema_cpu_only else device
        self._ema = EMAModel(
            trained.parameters,
            decay=config.ema_decay,
            update_after_step=config.ema_warmup_steps,
            foreach=not config.ema_foreach_disable,
        )
        self._ema.shadow_params = [each.float() for each in self._ema.shadow_params]
        self._ema.to(self._home)

    def update(self, step: int) -> None:
        """After each step; step: how many were made."""
        if step % self._interval:
            return
        self._ema.optimization_step = step - 1
        self._ema.to(self._updated_on)
        # What has no gradient would be taken over as it is.
        self._ema.step(
            [each.detach().to(self._updated_on, torch.float32).requires_grad_() for each in self._trained.parameters]
        )
        self._ema.to(self._home)

    @property
    def weights(self) -> Sequence[Tensor]:
        """In the order of what is trained."""
        weights: list[Tensor] = self._ema.shadow_params
        return weights

    def in_place(self) -> AbstractContextManager[None]:
        """The average in the place of the last weights."""
        return replaced(self._trained.parameters, self.weights)

    def save(self, folder: Path, about: Mapping[str, str]) -> None:
        with self.in_place():
            self._trained.save(folder, about, averaged=True)

    def load(self, folder: Path) -> None:
        """Put back what save wrote. Raises TrainingError when it is not there, or does not fit."""
        with self._taken_over():
            try:
                self._trained.load(folder, averaged=True)
            except FileNotFoundError as error:
                raise TrainingError(
                    f"{folder} has no average of the weights; resume without use_ema, as it was trained"
                ) from error

    def begin_with(self, source: str, *, option: str) -> None:
        """Take over an average from a file. Raises TrainingError when it does not fit."""
        with self._taken_over():
            self._trained.begin_with(source, option=option)

    @contextmanager
    def _taken_over(self) -> Iterator[None]:
        """What the trained weights become inside is the average afterwards."""
        with self.in_place():
            yield
            self._ema.shadow_params = [each.detach().to(self._home) for each in self._trained.parameters]


@contextmanager
def replaced(parameters: Sequence[Parameter], weights: Sequence[Tensor]) -> Iterator[None]:
    """Copies of other weights in the place of those that are trained."""
    kept = [parameter.data for parameter in parameters]
    for parameter, other in zip(parameters, weights, strict=True):
        parameter.data = other.to(parameter.device, copy=True)
    try:
        yield
    finally:
        for parameter, data in zip(parameters, kept, strict=True):
            parameter.data = data
