"""Which checkpoint a run goes on from, and whether it may."""

import time
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from domain.config.training import TrainingConfig
from trainer.checkpoints import NAME, Checkpoints, Facts
from trainer.errors import TrainingError
from trainer.journal import Journal, log, read_told
from trainer.order import Order
from trainer.wire import CheckpointRemoved, CheckpointSaved

KIND = ("model_type", "lora_type", "optimizer")
"""Options that say what a checkpoint holds."""

TOLD_OTHERWISE = {
    *("learning_rate", "num_processes", "max_train_steps", "num_train_epochs"),
    *("resume_from_checkpoint", "i_know_what_i_am_doing"),
}
MAX_TOLD = 80


def find_start(order: Order, checkpoints: Checkpoints, accelerator: Accelerator, *, journal: Journal) -> int:
    """The step of the checkpoint to go on from, 0 for none; the main process decides for all."""
    found = [0]
    if accelerator.is_main_process:
        checkpoints.remove_leftovers()
        found = [_choose_checkpoint(order, checkpoints, journal=journal)]
        _tell_what_is_there(order, checkpoints, journal=journal)
    step: int = broadcast_object_list(found)[0]
    return step


def _choose_checkpoint(order: Order, checkpoints: Checkpoints, *, journal: Journal) -> int:
    """The one that resume_from_checkpoint names, or else the newest whole one."""
    for step in checkpoints.set_damaged_aside():
        fate = "removed" if order.config.delete_invalid_checkpoints else "set aside"
        left = checkpoints.steps()
        rest = f"the newest whole one is checkpoint-{max(left)}" if left else "no whole one is left"
        log(journal, "warning", f"checkpoint-{step} is damaged and was {fate}; {rest}")
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
        _refuse_other_kind(order.config, checkpoints.facts(step))
    for later in checkpoints.set_later_aside(step):
        log(journal, "warning", f"checkpoint-{later} was set aside, as the run goes on from checkpoint-{step}")
        journal.append(CheckpointRemoved(at=time.time(), step=later))
    return step


def _tell_what_is_there(order: Order, checkpoints: Checkpoints, *, journal: Journal) -> None:
    """Of checkpoints that were saved or removed when a kill came before the journal had the line."""
    told: set[int] = set()
    for message in read_told(order.run_dir, CheckpointSaved, CheckpointRemoved):
        if isinstance(message, CheckpointSaved):
            told.add(message.step)
        elif isinstance(message, CheckpointRemoved):
            told.discard(message.step)
    for step in sorted(told - set(checkpoints.steps())):
        journal.append(CheckpointRemoved(at=time.time(), step=step))
    for step in sorted(set(checkpoints.steps()) - told):
        journal.append(
            CheckpointSaved(
                at=time.time(), step=step, path=checkpoints.folder(step).name, size_bytes=checkpoints.size_bytes(step)
            )
        )


def _named_step(config: TrainingConfig, checkpoints: Checkpoints) -> int | None:
    """None for the newest. Raises TrainingError when the one that is named cannot be used."""
    written = config.resume_from_checkpoint or "latest"
    if written == "latest":
        return None
    path = Path(written)
    if path.is_absolute() and path.parent != checkpoints.folder(0).parent:
        raise TrainingError(
            f"resume_from_checkpoint names {path}, which is of another run; set it to latest or to one of this run, or begin a "
            "new run with the weights of that one as init_lora"
        )
    match = NAME.fullmatch(path.name)
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


def _refuse_other_kind(config: TrainingConfig, facts: Facts) -> None:
    """Raises TrainingError when what the checkpoint holds is nothing that the run could go on with."""
    now = config.model_dump(mode="json", include=set(KIND))
    changes = [
        f"{name} was {facts.config[name]} and is {now[name]} now"
        for name in KIND
        if facts.config.get(name, now[name]) != now[name]
    ]
    if changes:
        raise TrainingError(
            f"{' and '.join(changes)}, so the run cannot go on from checkpoint-{facts.step}; set it back, or start a new run"
        )


def tell_of_changes(facts: Facts, config: TrainingConfig, *, total_steps: int, data: str, journal: Journal) -> None:
    """data: see LoadedData.digest."""
    now_told = config.model_dump(mode="json")
    options = [
        (name, facts.config[name], now_told[name])
        for name in sorted(facts.config.keys() & now_told.keys() - TOLD_OTHERWISE)
    ]
    if facts.data not in (None, data):
        log(
            journal,
            "warning",
            f"since checkpoint-{facts.step}, the data was changed: pictures, captions, sizes or how often they are shown; "
            "the steps to come are others than they would have been",
        )
    for name, before, now in (
        ("learning_rate", facts.learning_rate, config.learning_rate),
        ("the length in steps", facts.total_steps, total_steps),
        ("num_processes", facts.num_processes, config.num_processes),
        ("the effective batch", facts.effective_batch_size, config.effective_batch_size),
        *options,
    ):
        if before != now and (before is not None or name in facts.config):
            told = f"{name} was changed from {_shortly(before)} to {_shortly(now)}"
            log(journal, "warning", f"since checkpoint-{facts.step}, {told}")


def _shortly(value: object) -> str:
    return f"{value!s:.{MAX_TOLD}}" if value not in (None, "") else "nothing"
