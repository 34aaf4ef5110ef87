"""The seam between the training loop and what of a base model is trained: an adapter, or all its weights."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from trainer.errors import TrainingError


class Trained(ABC):
    """modules: all whose weights or dropout take part in training, in the order of parameters.

    dtype: what inference holds the weights in, in one or each in its own; training holds them in fp32. constants: what
    else training holds in fp32.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        *,
        dtype: torch.dtype | Sequence[torch.dtype],
        constants: Sequence[Tensor] = (),
    ) -> None:
        self.modules = nn.ModuleList(modules)
        self.parameters = trained_parameters(modules)
        self._held = (*self.parameters, *constants)
        self._dtypes = [dtype] * len(self._held) if isinstance(dtype, torch.dtype) else dtype

    def check_finite(self, *, step: int) -> None:
        """Raises TrainingError for weights that no training could go on with."""
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.parameters):
            raise TrainingError(
                f"the trained weights became nan or inf at step {step}; lower the learning rate, and resume from the last "
                "checkpoint"
            )

    def left_out(self) -> AbstractContextManager[None] | None:
        """The base model alone, for a forward pass without gradients; None where what is trained has taken its place."""
        return None

    def begin_with(self, source: str, *, option: str) -> None:
        """Take over what a file has that is named by an option; source: its path, its folder, or a name on the Hub. Raises
        TrainingError when it does not fit."""
        raise TrainingError(f"{option} is {source}, but all weights are trained, not an adapter; leave it empty")

    @abstractmethod
    def save(self, folder: Path, about: Mapping[str, str], *, averaged: bool = False) -> Path:
        """Write the weights into a folder as inference reads them; returns the file that holds them.

        about: what the file says of them. averaged: they are a running average, with a place of its own beside the last weights.
        """

    @abstractmethod
    def load(self, folder: Path, *, averaged: bool = False) -> None:
        """Put back what save wrote, bit for bit. Raises TrainingError when it does not fit."""

    def export(self, folder: Path, about: Mapping[str, str]) -> Path:
        """Write the final weights into a folder, for people to take away; returns the file that holds them."""
        return self.save(folder, about)

    @contextmanager
    def as_inference_sees_it(self) -> Iterator[None]:
        """As diffusers has it with the saved weights loaded: in its dtype, without dropout, and frozen, because torch's
        RMS norm rounds otherwise where weights may want gradients."""
        kept = [tensor.data for tensor in self._held]
        self.modules.eval()
        for tensor, dtype in zip(self._held, self._dtypes, strict=True):
            tensor.data = tensor.data.to(dtype)
        for parameter in self.parameters:
            parameter.requires_grad = False
        try:
            with torch.no_grad():
                yield
        finally:
            for tensor, data in zip(self._held, kept, strict=True):
                tensor.data = data
            for parameter in self.parameters:
                parameter.requires_grad = True
            self.modules.train()


AVERAGE_FOLDER = "ema"
"""Where the averages of adapters are."""


def trained_parameters(modules: Sequence[nn.Module]) -> list[Parameter]:
    return [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
