"""What steps are measured by, told one by one however many are told at once."""

import math

import pytest
import torch
from accelerate import Accelerator

from trainer.errors import TrainingError
from trainer.meter import Laps, Meter, Reading, StepLosses, peak_memory_bytes
from trainer.wire import Message, StepDone

CPU = torch.device("cpu")


class Lines:
    """A journal in memory."""

    step = 0
    open_phase: str | None = None

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def append(self, message: Message) -> None:
        self.messages.append(message)


def meter_and_lines() -> tuple[Meter, Lines]:
    lines = Lines()
    return Meter(Accelerator(cpu=True), lines, effective_batch_size=2), lines


def reading(step: int, *losses: float, grad_norm: float = 1.0) -> Reading:
    laps, measured = Laps(CPU), StepLosses(CPU)
    times = torch.linspace(0, 0.99, len(losses))
    for loss, time in zip(losses, times, strict=True):
        measured.add(torch.tensor([loss]), time.view(1), num_passes=len(losses))
        laps.end("data")
        laps.end("forward_backward")
    packed = measured.packed(torch.tensor(grad_norm))
    return Reading(step=step, epoch=1, at=float(step), learning_rate=1e-3, measured=packed, laps=laps)


def test_steps_told_together_have_lines_and_losses_of_their_own() -> None:
    meter, lines = meter_and_lines()
    for step, loss in enumerate((0.5, 0.25, 0.125), start=1):
        meter.keep(reading(step, loss))
    assert lines.messages == []
    assert meter.tell({"eval_loss": 3.0}) == [0.5, 0.25, 0.125]
    steps = [message for message in lines.messages if isinstance(message, StepDone)]
    assert [(step.step, step.at, step.metrics["loss"]) for step in steps] == [(1, 1, 0.5), (2, 2, 0.25), (3, 3, 0.125)]
    assert [step.metrics.get("eval_loss") for step in steps] == [None, None, 3.0]
    assert meter.tell() == []


def test_loss_is_told_by_timestep_too() -> None:
    meter, lines = meter_and_lines()
    measured = StepLosses(CPU)
    measured.add(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 0.249, 0.25]), num_passes=2)
    measured.add(torch.tensor([8.0]), torch.tensor([1.0]), num_passes=2)
    laps = Laps(CPU)
    laps.end("data")
    meter.keep(Reading(step=1, epoch=1, at=0, learning_rate=1, measured=measured.packed(torch.tensor(0.0)), laps=laps))
    meter.tell()
    (step,) = lines.messages
    assert isinstance(step, StepDone)
    assert {name: value for name, value in step.metrics.items() if name.startswith("loss")} == {
        "loss": pytest.approx((7 / 3 + 8) / 2),
        "loss/t0-250": 1.5,
        "loss/t250-500": 4.0,
        "loss/t750-1000": 8.0,
    }


@pytest.mark.parametrize(
    ("loss", "grad_norm", "message"),
    [(math.nan, 1.0, "the loss became nan at step 2"), (0.5, math.inf, "the gradient became inf at step 2")],
)
def test_first_step_that_is_no_number_ends_the_run(loss: float, grad_norm: float, message: str) -> None:
    meter, lines = meter_and_lines()
    for each in (reading(1, 0.5), reading(2, loss, grad_norm=grad_norm), reading(3, math.nan)):
        meter.keep(each)
    with pytest.raises(TrainingError, match=message):
        meter.tell()
    assert [each.step for each in lines.messages if isinstance(each, StepDone)] == [1]


def test_laps_of_one_name_are_added_up() -> None:
    assert list(reading(1, 0.5, 0.5).laps.seconds()) == ["data", "forward_backward"]


def test_memory_is_that_of_this_process() -> None:
    assert 10e6 < peak_memory_bytes(CPU) < 1e12
