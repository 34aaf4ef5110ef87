"""The training loop, top to bottom: data, forward, backward, step, log, save, validate."""

import math
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from trainer.checkpoints import keep_weights
from trainer.data.loader import Batch
from trainer.errors import TrainingError
from trainer.inbox import Wish
from trainer.journal import phase
from trainer.objective import draw_noise, weighted_mse
from trainer.preparation import Training
from trainer.randomness import seed_for
from trainer.state import save_state
from trainer.trained.metadata import describe_weights
from trainer.wire import CheckpointRemoved, CheckpointSaved, StepDone, WeightsSaved


def train(run: Training) -> Literal["finished", "stopped"]:
    """Make every step that is left. Raises TrainingError when the loss is no number any more."""
    config, accelerator = run.config, run.accelerator
    step = run.start_step
    validate_if(run, step, is_wanted=run.validation.is_due(step, total_steps=run.total_steps))

    while step < run.total_steps:
        started_at = time.perf_counter()
        losses = torch.zeros((), device=accelerator.device)
        for micro_step in range(config.gradient_accumulation_steps):
            batch = run.loader.batch(step, micro_step=micro_step)
            with _gradients_shared(run, micro_step):
                loss = loss_of(run, batch, micro_step=micro_step)
                accelerator.backward(loss)
            losses += loss.detach() / config.gradient_accumulation_steps

        grad_norm = accelerator.clip_grad_norm_(run.trained.parameters, config.max_grad_norm or math.inf)
        learning_rate: float = run.optimizer.param_groups[0]["lr"]
        run.optimizer.step()
        run.lr_schedule.step()
        run.optimizer.zero_grad()
        step += 1
        if run.average is not None:
            run.average.update(step)

        measured_loss, measured_norm, wishes = _measure(run, losses, grad_norm)
        seconds = time.perf_counter() - started_at
        _refuse_no_number(run, step=step, loss=measured_loss, grad_norm=measured_norm)
        run.journal.append(
            StepDone(
                at=time.time(),
                step=step,
                epoch=(step - 1) // run.steps_per_epoch + 1,
                metrics={
                    "loss": measured_loss,
                    "learning_rate": learning_rate,
                    "grad_norm": measured_norm,
                    "step_seconds": seconds,
                    "images_per_second": config.effective_batch_size / seconds,
                },
            )
        )

        is_last = step == run.total_steps
        if step % config.checkpoint_step_interval == 0 or is_last or Wish.SAVE in wishes:
            save_checkpoint(run, step)
        if is_last:
            break
        if Wish.STOP in wishes:
            return "stopped"
        is_due = run.validation.is_due(step, total_steps=run.total_steps)
        validate_if(run, step, is_wanted=is_due or Wish.VALIDATE in wishes)

    save_weights(run, step)
    validate_if(run, step, is_wanted=True)
    return "finished"


def loss_of(run: Training, batch: Batch, *, micro_step: int) -> Tensor:
    """The loss of one forward pass, a scalar."""
    seed, schedule, device = run.config.seed, run.family.schedule, batch.latents.device
    torch.manual_seed(seed_for("dropout", seed, batch.step, micro_step, run.accelerator.process_index))
    noise = draw_noise(batch.seeds("noise", seed=seed), shape=batch.latents.shape[1:], device=device)
    timesteps = schedule.draw_timesteps(batch.seeds("timestep", seed=seed), shape=noise.shape[1:], device=device)
    conditions = run.family.conditions(
        batch.text_embeds, geometry=batch.geometry, seeds=batch.seeds("condition", seed=seed)
    )
    noisy = schedule.add_noise(batch.latents, noise, timesteps)
    prediction = run.predictor(noisy, timesteps, conditions)
    target = schedule.target(batch.latents, noise, timesteps)
    return weighted_mse(prediction, target, schedule.loss_weights(timesteps, snr_gamma=run.config.snr_gamma))


def validate_if(run: Training, step: int, *, is_wanted: bool) -> None:
    if is_wanted and run.accelerator.is_main_process:
        run.validation.run(run.painter, step=step)
    if is_wanted:
        run.accelerator.wait_for_everyone()


def save_checkpoint(run: Training, step: int) -> None:
    """A checkpoint from which the next step is exactly what it would have been; the oldest beyond the limit go."""
    if run.accelerator.is_main_process and step not in run.checkpoints.steps():
        with phase(run.journal, "save"):
            checkpoint = run.checkpoints.save(step, lambda folder: _write_checkpoint(run, folder, step=step))
        run.journal.append(
            CheckpointSaved(at=time.time(), step=step, path=checkpoint.path.name, size_bytes=checkpoint.size_bytes)
        )
        for removed in run.checkpoints.remove_beyond_limit():
            run.journal.append(CheckpointRemoved(at=time.time(), step=removed))
    run.accelerator.wait_for_everyone()


def save_weights(run: Training, step: int) -> None:
    """The final weights beside the checkpoints, for inference."""
    if not run.accelerator.is_main_process:
        return
    run_dir = run.order.run_dir
    path = keep_weights(run_dir, lambda folder: _write_weights(run, folder, step=step))
    run.journal.append(
        WeightsSaved(
            at=time.time(), step=step, path=path.relative_to(run_dir).as_posix(), size_bytes=path.stat().st_size
        )
    )


def _write_weights(run: Training, folder: Path, *, step: int) -> Path:
    about = describe_weights(run.order, step=step)
    if run.average is not None:
        run.average.save(folder, about)
    return run.trained.export(folder, about)


def _write_checkpoint(run: Training, folder: Path, *, step: int) -> None:
    about = describe_weights(run.order, step=step)
    run.trained.save(folder, about)
    if run.average is not None:
        run.average.save(folder, about)
    save_state(folder, step=step, config=run.config, optimizer=run.optimizer, accelerator=run.accelerator)


def _gradients_shared(run: Training, micro_step: int) -> AbstractContextManager[None]:
    """Processes exchange gradients in the last backward pass of a step only."""
    is_last = micro_step == run.config.gradient_accumulation_steps - 1
    return nullcontext() if is_last else run.accelerator.no_sync(run.predictor)


def _measure(run: Training, losses: Tensor, grad_norm: Tensor) -> tuple[float, float, Wish]:
    """The step's loss and gradient norm over all processes, and what was asked for: one transfer from the device."""
    wishes = torch.full((), float(run.inbox.take()), device=losses.device)
    measured = torch.stack([losses, grad_norm.float(), wishes])
    measured = run.accelerator.reduce(measured, reduction="sum")
    loss, norm, wish = measured.tolist()
    return loss / run.accelerator.num_processes, norm / run.accelerator.num_processes, Wish(int(wish))


def _refuse_no_number(run: Training, *, step: int, loss: float, grad_norm: float) -> None:
    """With a loss scale, gradients overflow now and then and the step is left out; without, weights would be lost."""
    may_overflow = run.accelerator.scaler is not None
    broken = "loss" if not math.isfinite(loss) else "gradient" if not math.isfinite(grad_norm) else None
    if broken is None or (broken == "gradient" and may_overflow):
        return
    value = loss if broken == "loss" else grad_norm
    raise TrainingError(
        f"the {broken} became {value} at step {step}; lower the learning rate (now {run.config.learning_rate:g}) "
        "or use bf16 instead of fp16, and resume from the last checkpoint"
    )
