"""Which checkpoint a run goes on from, and whether it may."""

import time
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from domain.config.training import TrainingConfig
from trainer.checkpoints import NAME, Checkpoints, Facts
from trainer.errors import TrainingError
from trainer.journal import Journal, log
from trainer.order import Order
from trainer.wire import CheckpointRemoved


def find_start(order: Order, checkpoints: Checkpoints, accelerator: Accelerator, *, journal: Journal) -> int:
    """The step of the checkpoint to go on from, 0 for none; the main process decides for all."""
    found = [0]
    if accelerator.is_main_process:
        checkpoints.remove_leftovers()
        found = [_choose_checkpoint(order, checkpoints, journal=journal)]
    step: int = broadcast_object_list(found)[0]
    return step


def _choose_checkpoint(order: Order, checkpoints: Checkpoints, *, journal: Journal) -> int:
    """The one that resume_from_checkpoint names, or else the newest whole one."""
    for step in checkpoints.set_damaged_aside():
        fate = "removed" if order.config.delete_invalid_checkpoints else "set aside"
        log(journal, "warning", f"checkpoint-{step} is damaged and was {fate}; going on from the one before")
        journal.append(CheckpointRemoved(at=time.time(), step=step))
    if checkpoints.steps() and not order.resume:
        raise TrainingError(
            f"{order.run_dir} already has checkpoints up to step {checkpoints.steps()[-1]}; "
            "resume the run, or start in a new run directory"
        )
    named = _named_step(order.config, checkpoints)
    step = max(checkpoints.steps(), default=0) if named is None else named
    if step > 0:
        _refuse_other_topology(order.config, checkpoints.facts(step))
    for later in checkpoints.set_later_aside(step):
        log(journal, "warning", f"checkpoint-{later} was set aside, as the run goes on from checkpoint-{step}")
        journal.append(CheckpointRemoved(at=time.time(), step=later))
    return step


def _named_step(config: TrainingConfig, checkpoints: Checkpoints) -> int | None:
    """None for the newest. Raises TrainingError when the one that is named cannot be used."""
    written = config.resume_from_checkpoint or "latest"
    if written == "latest":
        return None
    match = NAME.fullmatch(Path(written).name)
    if match is not None and int(match[1]) in checkpoints.steps():
        step = int(match[1])
        if checkpoints.is_whole(step):
            return step
        raise TrainingError(
            f"resume_from_checkpoint names checkpoint-{step}, which is damaged; set it to another one, or to latest"
        )
    there = ", ".join(f"checkpoint-{step}" for step in checkpoints.steps()) or "none"
    raise TrainingError(
        f"resume_from_checkpoint is {written!r:.80}, which this run does not have; set it to latest or to one of: {there}"
    )


def _refuse_other_topology(config: TrainingConfig, facts: Facts) -> None:
    """Raises TrainingError when the run would not go on as it would have without the interruption."""
    changes = [
        f"{name} was {before} and is {now} now"
        for name, before, now in (
            ("num_processes", facts.num_processes, config.num_processes),
            ("the effective batch", facts.effective_batch_size, config.effective_batch_size),
        )
        if before not in (None, now)
    ]
    if changes and not config.i_know_what_i_am_doing:
        raise TrainingError(
            f"{' and '.join(changes)}, so the run would not go on as it would have without the interruption; "
            "resume it as it was, or switch i_know_what_i_am_doing on to go on all the same"
        )


def tell_of_changes(facts: Facts, config: TrainingConfig, *, total_steps: int, journal: Journal) -> None:
    for name, before, now in (
        ("learning_rate", facts.learning_rate, config.learning_rate),
        ("the length in steps", facts.total_steps, total_steps),
        ("num_processes", facts.num_processes, config.num_processes),
        ("the effective batch", facts.effective_batch_size, config.effective_batch_size),
    ):
        if before not in (None, now):
            log(journal, "warning", f"since checkpoint-{facts.step}, {name} was changed from {before} to {now}")
