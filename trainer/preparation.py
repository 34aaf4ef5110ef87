"""Everything from a checked order to the first step: devices, weights, encodings, the plan and the checkpoint."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from PIL import Image
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from domain.config.checks import flavour_of
from domain.config.training import TrainingConfig
from trainer.checkpoints import Checkpoints
from trainer.circle import Circle
from trainer.compiling import compile_denoiser
from trainer.data.assembly import Assembly
from trainer.data.epochs import EpochOrder
from trainer.data.loader import Loader
from trainer.data.pictures import UnreadablePicture
from trainer.data.reading import read_still
from trainer.devices import Predictor, Wishes, dtype_of, start_accelerator
from trainer.errors import TrainingError
from trainer.evaluation import Evaluation, encode_held_out
from trainer.families.arrivals import Arrivals
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.parts import Parts
from trainer.families.registry import FAMILIES
from trainer.families.weights import WeightDigests
from trainer.hub import be_impatient, is_silent
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, log, phase
from trainer.lr_schedule import make_lr_schedule
from trainer.meter import Meter
from trainer.optim import check_optimizer, hold_for_optimizer, make_optimizer
from trainer.order import Order
from trainer.passes import Passes, make_passes
from trainer.recomputing import recompute_blocks
from trainer.resuming import find_start, tell_of_changes
from trainer.state import load_state
from trainer.trained.average import Average
from trainer.trained.companions import Companions
from trainer.trained.full_rank import FullRank
from trainer.trained.lora import Lora
from trainer.trained.lycoris import Lycoris
from trainer.trained.painter import Painter
from trainer.trained.rates import give_text_encoders_their_rate
from trainer.trained.trained import Trained, trained_parameters
from trainer.validation import Validation
from trainer.wire import Planned, Started


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A run that is ready for its first step. average: of the trained weights, in the main process of a run that has one.
    start_step: how many steps the checkpoint, or the adapter, that it goes on from had made. data: see LoadedData."""

    order: Order
    journal: Journal
    inbox: Inbox
    accelerator: Accelerator
    family: ModelFamily
    trained: Trained
    average: Average | None
    companions: Companions
    painter: Painter
    painters: Circle
    predictor: nn.Module
    passes: Passes
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
    epochs: EpochOrder
    start_step: int
    data: str

    @property
    def config(self) -> TrainingConfig:
        return self.order.config


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A base model with what of it is trained, what stays beside that, and where its parts are."""

    family: ModelFamily
    trained: Trained
    companions: Companions
    parts: Parts


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
    checkpoints = _checkpoints_of(order)
    saved_step = find_start(order, checkpoints, accelerator, journal=journal)
    be_impatient()
    saved = checkpoints.folder(saved_step) if saved_step > 0 else None
    with phase(journal, "load_model") as loading:
        loaded = _load(order, accelerator, is_new=saved is None, arrivals=Arrivals(journal, loading))
    family, trained, parts = loaded.family, loaded.trained, loaded.parts
    if is_silent():
        log(journal, "warning", "the Hub sends nothing, so the run goes on with the files that are on this machine")
    data = Assembly(order, accelerator, journal=journal, inbox=inbox).load(parts, seen_at=started_at)
    epochs = data.epochs
    held_out = order.held_out if accelerator.is_main_process else ()
    pictures = list(encode_held_out(held_out, parts, device=accelerator.device, journal=journal)) if held_out else []
    parts.begin()
    total_steps = epochs.total_steps
    start_step = saved_step or _steps_behind_adapter(config, total_steps=total_steps, journal=journal)
    if saved is not None:
        tell_of_changes(
            checkpoints.facts(saved_step), config, total_steps=total_steps, data=data.digest, journal=journal
        )
    hold_for_optimizer(config, trained.parameters, dtype_of(accelerator))
    optimizer = make_optimizer(config, trained.parameters)
    give_text_encoders_their_rate(optimizer, trained_parameters(list(family.text_encoders().values())), config)
    lr_schedule = make_lr_schedule(config, optimizer, total_steps=total_steps, start_step=start_step)
    if saved is not None:
        trained.load(saved)
    average = _average_of(trained, config, accelerator, saved=saved)
    trained.modules.train()
    compile_denoiser(family.denoiser, config)
    predictor, prepared_optimizer = accelerator.prepare(Predictor(family, trained.modules), optimizer)
    if saved is not None:
        load_state(saved, optimizer=prepared_optimizer, parameters=trained.parameters, accelerator=accelerator)
    prepared_optimizer.train()
    painters = Circle(accelerator, is_whole=config.validation_multigpu == "batch-parallel")
    journal.append(
        Planned(
            at=time.time(),
            total_steps=total_steps,
            steps_per_epoch=epochs.steps_per_epoch,
            num_images=data.num_images,
            effective_batch_size=config.effective_batch_size,
            num_trainable_parameters=sum(each.numel() for each in trained.parameters),
            resumed_from_step=saved_step or None,
        )
    )
    return Training(
        order=order,
        journal=journal,
        inbox=inbox,
        accelerator=accelerator,
        family=family,
        trained=trained,
        average=average,
        companions=loaded.companions,
        painter=Painter(parts, trained, average, loaded.companions, config),
        painters=painters,
        predictor=predictor,
        passes=make_passes(
            predictor, accelerator, trained.parameters, penalty=family.penalty, config=config, journal=journal
        ),
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
            num_frames=order.validation_frames,
            beginnings=[] if config.validation_disable else _beginnings(order),
            steps_per_epoch=epochs.steps_per_epoch,
            start_step=start_step,
            journal=journal,
            inbox=inbox,
            circle=painters,
            device=accelerator.device,
        ),
        total_steps=total_steps,
        epochs=epochs,
        start_step=start_step,
        data=data.digest,
    )


def _checkpoints_of(order: Order) -> Checkpoints:
    config = order.config
    return Checkpoints(
        order.run_dir,
        limit=config.checkpoints_total_limit,
        rolling_limit=config.checkpoints_rolling_total_limit,
        keeps_damaged=not config.delete_invalid_checkpoints,
    )


def _load(order: Order, accelerator: Accelerator, *, is_new: bool, arrivals: Arrivals) -> Loaded:
    """is_new: there is no checkpoint, so that what trains begins as the configuration says. Raises TrainingError."""
    config = order.config
    base = BaseModel(
        source=order.base_model,
        config=config,
        device=accelerator.device,
        dtype=dtype_of(accelerator),
        digests=WeightDigests(folder=order.cache, seen_at=time.time(), variant=config.variant),
        arrivals=arrivals,
    )
    family = FAMILIES[config.model_family].load(base)
    trained = _what_trains(family, base)
    if config.init_lora is not None and is_new:
        trained.begin_with(config.init_lora, option="init_lora")
    companions = Companions.beside(family, config)
    parts = Parts(
        family,
        list(trained.modules),
        device=accelerator.device,
        are_apart=base.is_apart,
        keeps_autoencoder=config.keep_vae_loaded,
    )
    if config.gradient_checkpointing:
        recompute_blocks(family.denoiser, interval=config.gradient_checkpointing_interval or 1)
    return Loaded(family=family, trained=trained, companions=companions, parts=parts)


def _average_of(
    trained: Trained, config: TrainingConfig, accelerator: Accelerator, *, saved: Path | None
) -> Average | None:
    """saved: the checkpoint that the run goes on from. Only the main process keeps one. Raises TrainingError."""
    if not config.use_ema or not accelerator.is_main_process:
        return None
    average = Average(trained, config, device=accelerator.device)
    if saved is not None:
        average.load(saved)
    elif config.init_lora_ema is not None:
        average.begin_with(config.init_lora_ema, option="init_lora_ema")
    return average


def _beginnings(order: Order) -> list[Image.Image]:
    """The first frames of the first videos, one for each validation prompt, where the flavour makes videos of pictures.

    Raises TrainingError.
    """
    if not flavour_of(order.config).needs_first_frame:
        return []
    samples = order.samples[: len(order.config.validation_prompts)]
    try:
        return [read_still(sample.picture, sample.placement) for sample in samples]
    except UnreadablePicture as error:
        raise TrainingError(
            f"validation begins with it, but {error}; mend it, or remove it from the dataset"
        ) from error


def _steps_behind_adapter(config: TrainingConfig, *, total_steps: int, journal: Journal) -> int:
    """Those that init_lora has made elsewhere. Raises TrainingError when there are no more to make."""
    step = config.init_lora_step or 0
    if 0 < total_steps <= step:
        raise TrainingError(
            f"init_lora_step is {step}, but the run has {total_steps} steps, so none is left; train for more, or correct it"
        )
    if step > 0:
        log(journal, "info", f"counting goes on from step {step} of the adapter that this run begins with")
    return step


def _what_trains(family: ModelFamily, base: BaseModel) -> Trained:
    if base.config.model_type == "full":
        return FullRank.of(family, base)
    return Lycoris.beside(family, base) if base.config.lora_type == "lycoris" else Lora.beside(family, base)
