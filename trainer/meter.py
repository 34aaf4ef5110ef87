"""What a step is measured by. Values stay on the device until they are told, so that measuring waits for nothing.

On a CPU every step is told at once; with a device, what has come together is told a few times a second and whenever the
loop stops for something else. Each step has a line of its own either way.
"""

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from trainer.errors import TrainingError
from trainer.journal import Journal
from trainer.wire import StepDone

SECONDS_BETWEEN = 0.5
NUM_BUCKETS = 4
"""Of timesteps; each has a mean loss of its own, because losses of different noise levels cannot be compared."""


class Laps:
    """Where the time of one step goes: on CUDA by events, which are read only when the device is done with them."""

    def __init__(self, device: torch.device) -> None:
        self._on_cuda = device.type == "cuda"
        self._marks: list[tuple[str, Any]] = [("", self._now())]

    def end(self, name: str) -> None:
        """What was done since the last call is called so."""
        self._marks.append((name, self._now()))

    def seconds(self) -> dict[str, float]:
        spent: dict[str, float] = {}
        for (_, begin), (name, end) in zip(self._marks, self._marks[1:], strict=False):
            seconds = begin.elapsed_time(end) / 1000 if self._on_cuda else end - begin
            spent[name] = spent.get(name, 0.0) + seconds
        return spent

    def _now(self) -> Any:
        if not self._on_cuda:
            return time.perf_counter()
        event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


class StepLosses:
    """The losses of one step in this process, added up on the device: all together, and by timestep."""

    def __init__(self, device: torch.device) -> None:
        self.mean = torch.zeros((), device=device)
        self._sums = torch.zeros(NUM_BUCKETS, device=device)
        self._counts = torch.zeros(NUM_BUCKETS, device=device)

    def add(self, losses: Tensor, times: Tensor, *, num_passes: int) -> None:
        """losses, times: (batch,), times from 0 to 1. num_passes: forward passes in the step."""
        losses = losses.detach().float()
        self.mean += losses.mean() / num_passes
        places = (times * NUM_BUCKETS).long().clamp(0, NUM_BUCKETS - 1)
        self._sums.index_add_(0, places, losses)
        self._counts.index_add_(0, places, torch.ones_like(losses))

    def packed(self, grad_norm: Tensor) -> Tensor:
        """(2 + 2 × buckets,), on the device."""
        return torch.cat([torch.stack([self.mean, grad_norm.float()]), self._sums, self._counts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One step that has not been told yet. measured: as StepLosses packs it."""

    step: int
    epoch: int
    at: float
    learning_rate: float
    measured: Tensor
    laps: Laps


class Meter:
    """Tells the steps of all processes to the journal of the main one. Raises TrainingError for a loss that is no number."""

    def __init__(self, accelerator: Accelerator, journal: Journal, *, effective_batch_size: int) -> None:
        self._accelerator = accelerator
        self._journal = journal
        self._effective_batch_size = effective_batch_size
        self._readings: list[Reading] = []
        self._told_at = time.monotonic()

    def keep(self, reading: Reading) -> None:
        self._readings.append(reading)

    def is_due(self) -> bool:
        is_waiting_costly = self._accelerator.device.type != "cpu"
        return not is_waiting_costly or time.monotonic() - self._told_at >= SECONDS_BETWEEN

    def tell(self, extra: dict[str, float] | None = None) -> list[float]:
        """Every step that was kept, by all processes at once: one transfer from the device. Returns their losses.

        extra: further metrics of the newest of them.
        """
        readings, self._readings = self._readings, []
        self._told_at = time.monotonic()
        if not readings:
            return []
        stacked = torch.stack([reading.measured for reading in readings])
        rows: list[list[float]] = self._accelerator.reduce(stacked, reduction="sum").tolist()
        losses = []
        for reading, row in zip(readings, rows, strict=True):
            loss, grad_norm = (value / self._accelerator.num_processes for value in row[:2])
            self._refuse_no_number(reading, loss=loss, grad_norm=grad_norm)
            metrics = {"loss": loss, "learning_rate": reading.learning_rate, "grad_norm": grad_norm}
            metrics |= _by_timestep(row[2:]) | self._costs(reading.laps)
            if extra is not None and reading is readings[-1]:
                metrics |= extra
            self._journal.append(
                StepDone(at=reading.at, step=reading.step, epoch=reading.epoch, metrics=metrics),
            )
            losses.append(loss)
        return losses

    def _costs(self, laps: Laps) -> dict[str, float]:
        spent = laps.seconds()
        seconds = sum(spent.values())
        return {
            "step_seconds": seconds,
            **{f"{name}_seconds": each for name, each in spent.items()},
            "images_per_second": self._effective_batch_size / seconds,
            "peak_memory_gb": peak_memory_bytes(self._accelerator.device) / 1e9,
        }

    def _refuse_no_number(self, reading: Reading, *, loss: float, grad_norm: float) -> None:
        """With a loss scale, gradients overflow now and then and the step is left out; without, weights would be lost."""
        may_overflow = self._accelerator.scaler is not None
        broken = "loss" if not math.isfinite(loss) else "gradient" if not math.isfinite(grad_norm) else None
        if broken is None or (broken == "gradient" and may_overflow):
            return
        value = loss if broken == "loss" else grad_norm
        if reading.step == 1:
            raise TrainingError(
                f"the {broken} is {value} at the first step: the denoiser of the base model is damaged, or overflows in this "
                "mixed_precision; fetch the base model again, or set mixed_precision to bf16"
            )
        raise TrainingError(
            f"the {broken} became {value} at step {reading.step}; lower the learning rate (now "
            f"{reading.learning_rate:g}) or use bf16 instead of fp16, and resume from the last checkpoint"
        )


def peak_memory_bytes(device: torch.device) -> int:
    """The most that was in use: of the device by this process, or of main memory where there is no device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _by_timestep(sums_and_counts: Sequence[float]) -> dict[str, float]:
    """The mean loss of each stretch of a thousand timesteps that the step had samples of."""
    sums, counts = sums_and_counts[:NUM_BUCKETS], sums_and_counts[NUM_BUCKETS:]
    width = 1000 // NUM_BUCKETS
    return {
        f"loss/t{place * width}-{(place + 1) * width}": total / count
        for place, (total, count) in enumerate(zip(sums, counts, strict=True))
        if count > 0
    }
