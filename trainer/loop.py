"""The training loop, top to bottom: data, forward, backward, step, log, save, validate."""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import fmean
from typing import Literal

import torch
from torch import Tensor

from trainer.checkpoints import Facts, keep_weights
from trainer.data.loader import Batch
from trainer.devices import clear_cache_if_due
from trainer.inbox import Wish
from trainer.journal import log, phase
from trainer.losses import bends, fitted
from trainer.meter import Laps, Reading, StepLosses
from trainer.noise import perturbed, with_offset
from trainer.objective import as_wide_as, draw_noise
from trainer.optim import learning_rate_of, weights_for_inference
from trainer.passes import Drawn, wants_graph
from trainer.preparation import Training
from trainer.randomness import seed_for
from trainer.room import make_room
from trainer.state import save_state
from trainer.trained.metadata import describe_weights
from trainer.wire import CheckpointRemoved, CheckpointSaved, WeightsSaved


def train(run: Training) -> Literal["finished", "stopped"]:
    """Make every step that is left. Raises TrainingError when a loss is no number any more."""
    config, accelerator = run.config, run.accelerator
    step = run.start_step
    if step < run.total_steps:
        validate_if(run, step, is_wanted=run.validation.is_due_at_start(step))

    losses_since_checkpoint: list[float] = []
    eval_loss: float | None = None
    while step < run.total_steps:
        laps, measured = Laps(accelerator.device), StepLosses(accelerator.device)
        for micro_step in range(config.gradient_accumulation_steps):
            batch = run.loader.batch(step, micro_step=micro_step)
            laps.end("data")
            drawn = draw(run, batch, micro_step=micro_step)
            with _gradients_shared(run, micro_step):
                losses = run.passes(drawn)
            times = run.family.schedule.times(drawn.timesteps)
            measured.add(losses, times, num_passes=config.gradient_accumulation_steps)
            laps.end("forward_backward")

        grad_norm = clip_gradients(run)
        learning_rate = learning_rate_of(run.optimizer)
        run.optimizer.step()
        run.lr_schedule.step()
        run.optimizer.zero_grad(set_to_none=not wants_graph(config))
        laps.end("optimizer")
        step += 1
        if run.average is not None:
            run.average.update(step)
        clear_cache_if_due(step, config)

        run.meter.keep(
            Reading(
                step=step,
                epoch=run.epochs.epoch_of(step - 1) + 1,
                at=time.time(),
                learning_rate=learning_rate,
                measured=measured.packed(grad_norm),
                laps=laps,
            )
        )
        wishes = run.wishes.share(run.inbox.take() | (Wish.TELL if run.meter.is_due() else Wish.NOTHING))
        is_last = step == run.total_steps
        is_regular = is_last or Wish.SAVE in wishes or run.checkpoint_interval.is_due(step)
        is_saved = is_regular or run.rolling_interval.is_due(step)
        is_validated = not is_last and (run.validation.is_due(step) or Wish.VALIDATE in wishes)
        is_evaluated = run.evaluation.is_due(step, is_last=is_last, is_saved=is_regular)
        evaluated = evaluate_if(run, is_wanted=is_evaluated)
        eval_loss = evaluated.get("eval_loss", eval_loss)
        if wishes or is_saved or is_validated or is_evaluated:
            losses_since_checkpoint += run.meter.tell(evaluated)
        if is_saved:
            save_checkpoint(run, step, losses=losses_since_checkpoint, eval_loss=eval_loss, is_rolling=not is_regular)
            losses_since_checkpoint.clear()
            eval_loss = None
        if is_last:
            break
        if Wish.STOP in wishes:
            return "stopped"
        validate_if(run, step, is_wanted=is_validated)

    save_weights(run, step)
    validate_if(run, step, is_wanted=True)
    return "finished"


def draw(run: Training, batch: Batch, *, micro_step: int) -> Drawn:
    """What one forward pass is shown, and what it should say."""
    seed, schedule, device = run.config.seed, run.family.schedule, batch.latents.device
    torch.manual_seed(seed_for("dropout", seed, batch.step, micro_step, run.accelerator.process_index))
    drawn = draw_noise(batch.seeds("noise", seed=seed), shape=batch.latents.shape[1:], device=device)
    noise = with_offset(drawn, batch.seeds("offset", seed=seed), run.config)
    added = perturbed(noise, batch.seeds("perturbation", seed=seed), run.config, step=batch.step)
    timesteps = schedule.draw_timesteps(batch.draws(run.config), shape=noise.shape[1:], device=device)
    conditions = run.family.conditions(
        batch.text_embeds | batch.beginnings, geometry=batch.geometry, seeds=batch.seeds("condition", seed=seed)
    )
    noisy = schedule.add_noise(batch.latents, added, timesteps)
    target = schedule.target(batch.latents, noise, timesteps)
    base_model = run.trained.left_out() if any(batch.is_regularisation) else None
    if base_model is not None:
        with base_model, run.companions.left_out(), torch.no_grad():
            known: Tensor = run.accelerator.unwrap_model(run.predictor)(noisy, timesteps, conditions)
        is_known = as_wide_as(target, torch.tensor(batch.is_regularisation, device=device))
        target = torch.where(is_known, known.to(target.dtype), target)
    return Drawn(
        noisy=noisy,
        timesteps=timesteps,
        conditions=conditions,
        target=target,
        weights=schedule.loss_weights(timesteps),
        bends=bends(run.config, schedule, timesteps),
        masks=None if batch.masks is None else fitted(batch.masks, batch.latents),
    )


def clip_gradients(run: Training) -> Tensor:
    """Returns the norm that they had before."""
    limit = run.config.max_grad_norm or math.inf
    is_by_value = run.config.grad_clip_method == "value"
    norm: Tensor = run.accelerator.clip_grad_norm_(run.trained.parameters, math.inf if is_by_value else limit)
    if is_by_value:
        torch.nn.utils.clip_grad_value_(run.trained.parameters, limit)
    return norm


def validate_if(run: Training, step: int, *, is_wanted: bool) -> None:
    if is_wanted and run.painters.is_member:
        with weights_for_inference(run.optimizer, run.trained.parameters):
            run.validation.run(run.painter, step=step)
    if is_wanted:
        run.accelerator.wait_for_everyone()


def evaluate_if(run: Training, *, is_wanted: bool) -> dict[str, float]:
    """The held-out losses by name, in the main process."""
    if not is_wanted:
        return {}
    losses = {}
    if run.accelerator.is_main_process:
        with weights_for_inference(run.optimizer, run.trained.parameters):
            losses = run.evaluation.run(run.accelerator.unwrap_model(run.predictor))
    run.accelerator.wait_for_everyone()
    return losses


def save_checkpoint(
    run: Training, step: int, *, losses: Sequence[float], eval_loss: float | None, is_rolling: bool
) -> None:
    """A checkpoint from which the next step is exactly what it would have been; the oldest beyond the limit go.

    losses: of the steps since the checkpoint before. eval_loss: where it was measured since then.
    """
    run.trained.check_finite(step=step)
    if run.accelerator.is_main_process and step not in run.checkpoints.steps() and _has_room(run):
        facts = Facts(
            step=step,
            effective_batch_size=run.config.effective_batch_size,
            num_processes=run.config.num_processes,
            learning_rate=run.config.learning_rate,
            total_steps=run.total_steps,
            mean_loss=fmean(losses),
            eval_loss=eval_loss,
            is_rolling=is_rolling,
            config=run.config.model_dump(mode="json"),
            data=run.data,
        )
        with phase(run.journal, "save"):
            checkpoint = run.checkpoints.save(facts, lambda folder: _write_checkpoint(run, folder, step=step))
        run.journal.append(
            CheckpointSaved(
                at=time.time(),
                step=step,
                path=checkpoint.path.name,
                size_bytes=checkpoint.size_bytes,
                mean_loss=facts.mean_loss,
                eval_loss=facts.eval_loss,
                is_rolling=facts.is_rolling,
            )
        )
        if run.checkpoints.best() == facts:
            log(run.journal, "info", f"checkpoint-{step} is the best so far: {_score(facts)}")
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
    with weights_for_inference(run.optimizer, run.trained.parameters):
        return run.trained.export(folder, about)


def _write_checkpoint(run: Training, folder: Path, *, step: int) -> None:
    about = describe_weights(run.order, step=step)
    with weights_for_inference(run.optimizer, run.trained.parameters):
        run.trained.save(folder, about)
    if run.average is not None:
        run.average.save(folder, about)
    save_state(folder, optimizer=run.optimizer, parameters=run.trained.parameters, accelerator=run.accelerator)


def _has_room(run: Training) -> bool:
    return make_room(run.config, run.order.run_dir, journal=run.journal, inbox=run.inbox)


def _score(facts: Facts) -> str:
    if facts.eval_loss is not None:
        return f"held-out loss {facts.eval_loss:.5f}"
    return f"mean loss {facts.mean_loss:.5f} since the one before"


def _gradients_shared(run: Training, micro_step: int) -> AbstractContextManager[None]:
    """Processes exchange gradients in the last backward pass of a step only."""
    is_last = micro_step == run.config.gradient_accumulation_steps - 1
    return nullcontext() if is_last else run.accelerator.no_sync(run.predictor)
