"""Everything from a checked order to the first step: devices, weights, encodings, the plan and the checkpoint."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import broadcast_object_list
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from domain.config.training import TrainingConfig
from trainer.checkpoints import Checkpoints
from trainer.data.cache import EncodingCache
from trainer.data.captions import NO_CAPTION
from trainer.data.encoding import Share, encode_captions, encode_pictures, why_unreadable
from trainer.data.epochs import EpochOrder
from trainer.data.loader import EncodedSample, Loader
from trainer.data.sources import Sample, nothing_left
from trainer.devices import Predictor, dtype_of, start_accelerator
from trainer.errors import StopRequested, TrainingError
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.registry import FAMILIES
from trainer.inbox import Inbox
from trainer.journal import Journal, log, phase
from trainer.optim import make_lr_schedule, make_optimizer
from trainer.order import Order, buckets_of
from trainer.state import load_state, saved_effective_batch_size
from trainer.trained.average import Average
from trainer.trained.full_rank import FullRank
from trainer.trained.lora import Lora
from trainer.trained.lycoris import Lycoris
from trainer.trained.preview import Preview
from trainer.trained.trained import Trained
from trainer.validation import Validation
from trainer.wire import CheckpointRemoved, Planned, Started

CACHE_FOLDER = "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A run that is ready for its first step. average: of the trained weights, in the main process of a run that has one.
    start_step: how many steps the checkpoint it goes on from had made."""

    order: Order
    journal: Journal
    inbox: Inbox
    accelerator: Accelerator
    family: ModelFamily
    trained: Trained
    average: Average | None
    preview: Preview
    predictor: nn.Module
    optimizer: AcceleratedOptimizer
    lr_schedule: LambdaLR
    loader: Loader
    checkpoints: Checkpoints
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
    accelerator = start_accelerator(config)
    journal.append(
        Started(
            at=time.time(),
            pid=os.getpid(),
            num_processes=accelerator.num_processes,
            device="cpu" if accelerator.device.type == "cpu" else str(accelerator.device),
        )
    )
    for remark in order.remarks():
        log(journal, "warning", remark)
    checkpoints = Checkpoints(order.run_dir, limit=config.checkpoints_total_limit)
    start_step = _find_start(order, checkpoints, accelerator, journal=journal)
    with phase(journal, "load_model"):
        base = BaseModel(source=order.base_model, config=config, device=accelerator.device, dtype=dtype_of(accelerator))
        family = FAMILIES[config.model_family].load(base)
        trained = _what_trains(family, base)
        if config.gradient_checkpointing:
            family.denoiser.enable_gradient_checkpointing()  # type: ignore[operator]
    loader, epochs, num_images = _load_data(order, family, accelerator, journal=journal, inbox=inbox)
    total_steps = config.max_train_steps or config.num_train_epochs * epochs.steps_per_epoch
    optimizer = make_optimizer(config, trained.parameters)
    lr_schedule = make_lr_schedule(config, optimizer, total_steps=total_steps, start_step=start_step)
    if start_step > 0:
        trained.load(checkpoints.folder(start_step))
    average = None
    if config.use_ema and accelerator.is_main_process:
        average = Average(trained, config, device=accelerator.device)
        if start_step > 0:
            average.load(checkpoints.folder(start_step))
    trained.modules.train()
    predictor, prepared_optimizer = accelerator.prepare(Predictor(family, trained.modules), optimizer)
    if start_step > 0:
        load_state(checkpoints.folder(start_step), optimizer=prepared_optimizer, accelerator=accelerator)
    journal.append(
        Planned(
            at=time.time(),
            total_steps=total_steps,
            steps_per_epoch=epochs.steps_per_epoch,
            num_images=num_images,
            effective_batch_size=config.effective_batch_size,
            num_trainable_parameters=sum(each.numel() for each in trained.parameters),
            resumed_from_step=start_step or None,
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
        preview=Preview(family, trained, average, config),
        predictor=predictor,
        optimizer=prepared_optimizer,
        lr_schedule=lr_schedule,
        loader=loader,
        checkpoints=checkpoints,
        validation=Validation(config, run_dir=order.run_dir, edge=order.validation_edge, journal=journal, inbox=inbox),
        total_steps=total_steps,
        steps_per_epoch=epochs.steps_per_epoch,
        start_step=start_step,
    )


def _find_start(order: Order, checkpoints: Checkpoints, accelerator: Accelerator, *, journal: Journal) -> int:
    """The step of the newest whole checkpoint when resuming, 0 otherwise; the main process decides for all."""
    found = [0]
    if accelerator.is_main_process:
        checkpoints.remove_leftovers()
        found = [_newest_whole(order, checkpoints, journal=journal)]
    step: int = broadcast_object_list(found)[0]
    return step


def _newest_whole(order: Order, checkpoints: Checkpoints, *, journal: Journal) -> int:
    for step in checkpoints.set_damaged_aside():
        log(journal, "warning", f"checkpoint-{step} is damaged and was set aside; going on from the one before")
        journal.append(CheckpointRemoved(at=time.time(), step=step))
    if checkpoints.steps() and not order.resume:
        raise TrainingError(
            f"{order.run_dir} already has checkpoints up to step {checkpoints.steps()[-1]}; "
            "resume the run, or start in a new run directory"
        )
    step = max(checkpoints.steps(), default=0)
    if step > 0:
        saved = saved_effective_batch_size(checkpoints.folder(step))
        if saved != order.config.effective_batch_size:
            log(
                journal,
                "warning",
                f"the effective batch was {saved} and is {order.config.effective_batch_size} now; "
                "the run goes on, but not as it would have without the interruption",
            )
    return step


def _what_trains(family: ModelFamily, base: BaseModel) -> Trained:
    if base.config.model_type == "full":
        return FullRank.of(family, base)
    return Lycoris.beside(family, base) if base.config.lora_type == "lycoris" else Lora.beside(family, base)


def _load_data(
    order: Order, family: ModelFamily, accelerator: Accelerator, *, journal: Journal, inbox: Inbox
) -> tuple[Loader, EpochOrder, int]:
    """The loader, the order it follows, and the number of pictures that could be read."""
    config = order.config
    cache = EncodingCache(order.run_dir / CACHE_FOLDER)
    share = Share(process_index=accelerator.process_index, num_processes=accelerator.num_processes)
    captions = [NO_CAPTION, *(caption for sample in order.samples for caption in sample.captions)]
    text_keys = encode_captions(family, captions, cache, share=share, journal=journal, inbox=inbox)
    latents_keys = encode_pictures(
        family, order.samples, cache, batch_size=config.vae_batch_size, share=share, journal=journal, inbox=inbox
    )
    _wait_and_go_on(accelerator, inbox)
    samples = [sample for sample in order.samples if cache.has(latents_keys[sample])]
    _tell_of_skipped(order, samples, accelerator, journal=journal)
    epochs = EpochOrder(buckets_of(samples, order.datasets), config)
    loader = Loader(
        [
            EncodedSample(
                latents_key=latents_keys[sample], text_keys=tuple(text_keys[caption] for caption in sample.captions)
            )
            for sample in samples
        ],
        epochs,
        cache,
        config=config,
        no_caption_key=text_keys[NO_CAPTION],
        process_index=accelerator.process_index,
        device=accelerator.device,
    )
    return loader, epochs, len(samples)


def _wait_and_go_on(accelerator: Accelerator, inbox: Inbox) -> None:
    accelerator.wait_for_everyone()
    if broadcast_object_list([inbox.wants_stop()])[0]:
        raise StopRequested


def _tell_of_skipped(order: Order, readable: Sequence[Sample], accelerator: Accelerator, *, journal: Journal) -> None:
    """Name what cannot be used. Raises TrainingError when a dataset has no readable picture at all."""
    skipped = sorted(set(order.samples) - set(readable), key=lambda sample: sample.path)
    if accelerator.is_main_process:
        for sample in skipped:
            log(journal, "warning", f"skipped: {why_unreadable(sample)}")
    for place, dataset in enumerate(order.datasets):
        if all(sample.dataset != place for sample in readable):
            reasons = [why_unreadable(sample) for sample in skipped if sample.dataset == place]
            raise TrainingError(nothing_left(dataset, reasons))
