"""Everything from a checked order to the first step: devices, weights, encodings, the plan and the checkpoint."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import broadcast_object_list
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from domain.config.training import TrainingConfig
from trainer.adapters import add_lora, trained_parameters
from trainer.checkpoints import NAME, Checkpoints, Facts
from trainer.compiling import compile_denoiser
from trainer.data.assembly import Assembly
from trainer.data.loader import Loader
from trainer.devices import Predictor, Wishes, dtype_of, start_accelerator
from trainer.errors import TrainingError
from trainer.evaluation import Evaluation, encode_held_out
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.registry import FAMILIES
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, log, phase
from trainer.lr_schedule import make_lr_schedule
from trainer.meter import Meter
from trainer.optim import check_optimizer, hold_for_optimizer, make_optimizer
from trainer.order import Order
from trainer.passes import Passes, make_passes
from trainer.state import load_state
from trainer.validation import Validation
from trainer.wire import CheckpointRemoved, Planned, Started


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A run that is ready for its first step. start_step: how many steps the checkpoint it goes on from had made."""

    order: Order
    journal: Journal
    inbox: Inbox
    accelerator: Accelerator
    dtype: torch.dtype
    family: ModelFamily
    predictor: nn.Module
    passes: Passes
    parameters: list[nn.Parameter]
    optimizer: AcceleratedOptimizer
    lr_schedule: LambdaLR
    loader: Loader
    wishes: Wishes
    meter: Meter
    checkpoints: Checkpoints
    checkpoint_interval: Interval
    rolling_interval: Interval
    evaluation: Evaluation
    validation: Validation
    total_steps: int
    steps_per_epoch: int
    start_step: int

    @property
    def config(self) -> TrainingConfig:
        return self.order.config


def prepare(order: Order, *, journal: Journal, inbox: Inbox) -> Training:
    """Raises TrainingError, and StopRequested when the end was asked for meanwhile."""
    config = order.config
    started_at = time.time()
    accelerator = start_accelerator(config)
    journal.append(
        Started(
            at=time.time(),
            pid=os.getpid(),
            num_processes=accelerator.num_processes,
            device="cpu" if accelerator.device.type == "cpu" else str(accelerator.device),
        )
    )
    check_optimizer(config, accelerator.device)
    for remark in order.remarks():
        log(journal, "warning", remark)
    checkpoints = Checkpoints(
        order.run_dir,
        limit=config.checkpoints_total_limit,
        rolling_limit=config.checkpoints_rolling_total_limit,
    )
    start_step = _find_start(order, checkpoints, accelerator, journal=journal)
    dtype = dtype_of(accelerator)
    with phase(journal, "load_model"):
        family = _load_family(order, device=accelerator.device, dtype=dtype)
    data = Assembly(order, accelerator, journal=journal, inbox=inbox).load(family, seen_at=started_at)
    epochs = data.epochs
    held_out = order.held_out if accelerator.is_main_process else ()
    pictures = list(encode_held_out(held_out, family, device=accelerator.device, journal=journal)) if held_out else []
    total_steps = config.max_train_steps or config.num_train_epochs * epochs.steps_per_epoch
    parameters = trained_parameters(family.denoiser)
    if start_step > 0:
        _tell_of_changes(checkpoints.facts(start_step), config, total_steps=total_steps, journal=journal)
    hold_for_optimizer(config, parameters, dtype)
    optimizer = make_optimizer(config, parameters)
    lr_schedule = make_lr_schedule(config, optimizer, total_steps=total_steps, start_step=start_step)
    if start_step > 0:
        family.load_adapter(checkpoints.folder(start_step))
    family.denoiser.train()
    compile_denoiser(family.denoiser, config)
    predictor, prepared_optimizer = accelerator.prepare(Predictor(family), optimizer)
    if start_step > 0:
        load_state(
            checkpoints.folder(start_step),
            optimizer=prepared_optimizer,
            parameters=parameters,
            accelerator=accelerator,
        )
    prepared_optimizer.train()
    journal.append(
        Planned(
            at=time.time(),
            total_steps=total_steps,
            steps_per_epoch=epochs.steps_per_epoch,
            num_images=data.num_images,
            effective_batch_size=config.effective_batch_size,
            num_trainable_parameters=sum(each.numel() for each in parameters),
            resumed_from_step=start_step or None,
        )
    )
    return Training(
        order=order,
        journal=journal,
        inbox=inbox,
        accelerator=accelerator,
        dtype=dtype,
        family=family,
        predictor=predictor,
        passes=make_passes(predictor, accelerator, parameters, config=config, journal=journal),
        parameters=parameters,
        optimizer=prepared_optimizer,
        lr_schedule=lr_schedule,
        loader=data.loader,
        wishes=Wishes(accelerator),
        meter=Meter(accelerator, journal, effective_batch_size=config.effective_batch_size),
        checkpoints=checkpoints,
        checkpoint_interval=Interval(
            steps=config.checkpoint_step_interval,
            epochs=config.checkpoint_epoch_interval,
            steps_per_epoch=epochs.steps_per_epoch,
        ),
        rolling_interval=Interval(
            steps=config.checkpointing_rolling_steps or None, steps_per_epoch=epochs.steps_per_epoch
        ),
        evaluation=Evaluation(
            config,
            pictures,
            family,
            device=accelerator.device,
            steps_per_epoch=epochs.steps_per_epoch,
            journal=journal,
            inbox=inbox,
            is_wanted=bool(order.held_out),
        ),
        validation=Validation(
            config,
            run_dir=order.run_dir,
            sizes=order.validation_sizes,
            steps_per_epoch=epochs.steps_per_epoch,
            journal=journal,
            inbox=inbox,
        ),
        total_steps=total_steps,
        steps_per_epoch=epochs.steps_per_epoch,
        start_step=start_step,
    )


def _find_start(order: Order, checkpoints: Checkpoints, accelerator: Accelerator, *, journal: Journal) -> int:
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
        log(journal, "warning", f"checkpoint-{step} is damaged and was set aside; going on from the one before")
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


def _tell_of_changes(facts: Facts, config: TrainingConfig, *, total_steps: int, journal: Journal) -> None:
    for name, before, now in (
        ("learning_rate", facts.learning_rate, config.learning_rate),
        ("the length in steps", facts.total_steps, total_steps),
        ("num_processes", facts.num_processes, config.num_processes),
        ("the effective batch", facts.effective_batch_size, config.effective_batch_size),
    ):
        if before not in (None, now):
            log(journal, "warning", f"since checkpoint-{facts.step}, {name} was changed from {before} to {now}")


def _load_family(order: Order, *, device: torch.device, dtype: torch.dtype) -> ModelFamily:
    config = order.config
    family = FAMILIES[config.model_family].load(
        BaseModel(
            source=order.base_model,
            config=config,
            device=device,
            dtype=dtype,
        )
    )
    add_lora(family.denoiser, config, default_targets=family.lora_targets)
    if config.gradient_checkpointing:
        family.denoiser.enable_gradient_checkpointing()  # type: ignore[operator]
    return family
