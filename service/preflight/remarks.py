"""What there is to say of pictures, of how they are planned, and of intervals and options."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.config.batches import EpochPlan
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.config.unused import Unused
from service.preflight.findings import Finding, Severity, Suggestion
from service.preflight.pictures import Folder
from service.read_models.dataset import DatasetRow
from service.read_models.environment import EnvironmentRow

MAX_LISTED = 8
LOW_BIT = {"bnb": "bitsandbytes", "ao": "torchao"}
"""Packages of the extra low-bit, by how the names of their optimizers begin."""

WITHOUT_LOW_BIT = {"lion": "optimi-lion", "adagrad": "torch-adagrad", "adamw": "adamw_bf16", "adam": "torch-adam"}
"""The same algorithms without them, by how their names begin; adamw_bf16 needs nearly as little memory."""


def problems_of_folder(
    row: DatasetRow, dataset: DatasetConfig, folder: Folder, *, config: TrainingConfig
) -> Iterator[Finding]:
    """config: for the size that pictures are compared with."""
    path = ("datasets", row.name, "instance_data_dir")
    where = dataset.instance_data_dir
    num_usable = (
        folder.num_images
        - folder.num_left_out
        - folder.num_unsuited_length
        - folder.num_unreadable
        - folder.num_unmasked
    )
    if not Path(where).is_dir():
        message = f"the folder {where} of the dataset {row.name!r} does not exist"
        yield Finding(severity=Severity.ERROR, code="DATASET_MISSING", message=message, path=path)
        return
    if folder.num_images == 0:
        message = f"the folder {where} of the dataset {row.name!r} has no {dataset.contents}"
        yield Finding(severity=Severity.ERROR, code="DATASET_EMPTY", message=message, path=path)
        return
    severity = Severity.WARNING if num_usable > 0 else Severity.ERROR
    if folder.num_unreadable:
        yield Finding(
            severity=severity,
            code="UNREADABLE_PICTURES",
            message=f"{folder.num_unreadable} of {folder.num_images} {dataset.contents} of the dataset {row.name!r} cannot be read and "
            f"are skipped: {_listed(folder.unreadable, folder.num_unreadable)}",
            path=path,
        )
    if folder.num_unmasked:
        yield Finding(
            severity=severity,
            code="PICTURES_WITHOUT_MASK",
            message=f"{folder.num_unmasked} of {folder.num_images} {dataset.contents} of the dataset {row.name!r} have no mask and are "
            f"left out: {_listed(folder.unmasked, folder.num_unmasked)}",
            path=("datasets", row.name, "conditioning_data"),
        )
    if folder.num_left_out:
        yield Finding(
            severity=severity,
            code="PICTURES_LEFT_OUT",
            message=f"{folder.num_left_out} of {folder.num_images} {dataset.contents} of the dataset {row.name!r} are left out: "
            f"{_listed(folder.left_out, folder.num_left_out)}; lower the resolution, or let them be enlarged",
            path=("datasets", row.name, "upscale"),
            suggestions=(
                Suggestion(
                    label=f"Enlarge small {dataset.contents}",
                    target="dataset",
                    id=row.id,
                    expected_version=row.revision,
                    set={"upscale": True},
                ),
            ),
        )
    if folder.num_unsuited_length:
        yield Finding(
            severity=severity,
            code="VIDEOS_LEFT_OUT",
            message=f"{folder.num_unsuited_length} of {folder.num_images} videos of the dataset {row.name!r} are left out: "
            f"{_listed(folder.unsuited_length, folder.num_unsuited_length)}; change num_frames, min_frames or max_frames in video",
            path=("datasets", row.name, "video"),
        )
    if folder.num_uncaptioned:
        yield Finding(
            severity=Severity.WARNING,
            code="CAPTIONS_MISSING",
            message=f"{folder.num_uncaptioned} of {folder.num_images} {dataset.contents} of the dataset {row.name!r} have no caption, "
            f"for example {folder.uncaptioned[0]}; write it into a .txt of the same name",
            path=("datasets", row.name, "caption_strategy"),
        )


def not_looked_at(row: DatasetRow, dataset: DatasetConfig) -> Finding:
    where = "a table" if dataset.is_listed_by_table else dataset.type
    return Finding(
        severity=Severity.INFO,
        code="PICTURES_NOT_LOOKED_AT",
        message=f"the {dataset.contents} of the dataset {row.name!r} come from {where} and are not looked at before the start, so "
        "steps and buckets are not known; what cannot be trained on is found when the run starts",
        path=("datasets", row.name, "type"),
    )


def problems_of_plan(
    plan: EpochPlan,
    environment: EnvironmentRow,
    rows: Sequence[DatasetRow],
    *,
    config: TrainingConfig,
    is_estimate: bool,
) -> Iterator[Finding]:
    """Buckets that cannot fill an effective batch, with the ways out: smaller batch, repeats, filling up, leaving out.

    is_estimate: no run is refused for numbers that are not known; the trainer has the last word on those.
    """
    if plan.undersized:
        yield Finding(
            severity=Severity.WARNING if is_estimate else Severity.ERROR,
            code="BUCKET_TOO_SMALL",
            message="; ".join(plan.explain()[:MAX_LISTED])
            + ("; and more" if len(plan.undersized) > MAX_LISTED else ""),
            path=("config", "train_batch_size"),
            suggestions=tuple(_ways_out(plan, environment, rows, config)),
        )
    if plan.filled_up:
        yield Finding(
            severity=Severity.INFO,
            code="BUCKET_FILLED_UP",
            message=plan.explain_filled_up(at_most=MAX_LISTED),
            path=("config", "allow_dataset_oversubscription"),
        )
    if plan.left_out:
        yield Finding(
            severity=Severity.WARNING,
            code="BUCKET_LEFT_OUT",
            message=plan.explain_left_out(at_most=MAX_LISTED),
            path=("config", "allow_bucket_pruning"),
        )


def problems_of_mixture(problem: str | None, *, is_estimate: bool) -> Iterator[Finding]:
    if problem is not None:
        severity = Severity.WARNING if is_estimate else Severity.ERROR
        yield Finding(severity=severity, code="NO_DATASET_IN_STEP", message=problem, path=("datasets",))


def not_drawn(row: DatasetRow) -> Finding:
    return Finding(
        severity=Severity.INFO,
        code="DATASET_NOT_DRAWN",
        message=f"the dataset {row.name!r} is not trained on: its probability is 0",
        path=("datasets", row.name, "probability"),
    )


def problems_of_evaluation(config: TrainingConfig, held_out: Sequence[str]) -> Iterator[Finding]:
    """held_out: ids of the datasets that are measured alone."""
    wanted = config.eval_dataset_id
    if wanted and wanted not in held_out and not config.eval_loss_disable:
        yield Finding(
            severity=Severity.ERROR,
            code="NO_HELD_OUT_DATASET",
            message=f"eval_dataset_id is {wanted!r:.80}, but the environment has no dataset of kind eval that is called so; "
            "leave it empty, or add the dataset",
            path=("config", "eval_dataset_id"),
        )


def remarks_on_optimizer(
    environment: EnvironmentRow, config: TrainingConfig, *, num_gpus: int, installed: Callable[[str], bool]
) -> Iterator[Finding]:
    """num_gpus: that answered; where a GPU does not, as in some containers, the trainer may still find it."""
    library = LOW_BIT.get(config.optimizer.partition("-")[0])
    if library is None:
        return
    algorithm = config.optimizer.partition("-")[2]
    alike = next((ours for name, ours in WITHOUT_LOW_BIT.items() if algorithm.startswith(name)), None)
    ways_out = () if alike is None else (_change(environment, f"Take {alike}", {"optimizer": alike}),)
    if num_gpus == 0:
        yield Finding(
            severity=Severity.WARNING,
            code="OPTIMIZER_NEEDS_GPU",
            message=f"optimizer is {config.optimizer}, which is for GPUs, and none was found; set it to torch-adamw, "
            "or to optimi-lion or torch-adafactor, which need less memory",
            path=("config", "optimizer"),
            suggestions=ways_out,
        )
    elif not installed(library):
        yield Finding(
            severity=Severity.WARNING,
            code="OPTIMIZER_NOT_INSTALLED",
            message=f"optimizer is {config.optimizer}, which needs the package {library}, and it is not installed: "
            f'pip install "simpletuner[low-bit]"' + (f", or take {alike}" if alike else ""),
            path=("config", "optimizer"),
            suggestions=ways_out,
        )


def remarks_on(
    environment: EnvironmentRow, config: TrainingConfig, *, unused: Sequence[Unused], total_steps: int | None
) -> Iterator[Finding]:
    if not config.validation_disable and not config.validation_prompts:
        yield Finding(
            severity=Severity.WARNING,
            code="NO_VALIDATION_PROMPT",
            message="there is no validation prompt, so nothing is drawn while it trains; write one into validation_prompt",
            path=("config", "validation_prompt"),
        )
    is_saved_by_steps = config.checkpoint_epoch_interval is None and not config.checkpointing_rolling_steps
    if total_steps and is_saved_by_steps and config.checkpoint_step_interval > total_steps:
        yield _longer_than_run(
            environment,
            "checkpoint_step_interval",
            config.checkpoint_step_interval,
            code="NO_CHECKPOINT_BETWEEN",
            total_steps=total_steps,
            consequence="the only checkpoint is at the end, and an interruption loses everything",
        )
    is_validating = not config.validation_disable and bool(config.validation_prompts)
    is_by_steps = is_validating and config.validation_epoch_interval is None
    if total_steps and is_by_steps and config.validation_step_interval > total_steps:
        yield _longer_than_run(
            environment,
            "validation_step_interval",
            config.validation_step_interval,
            code="NO_VALIDATION_BETWEEN",
            total_steps=total_steps,
            consequence="validation images are made only before the first step and after the last",
        )
    if unused:
        listed = ", ".join(each.key for each in unused[:MAX_LISTED])
        more = f" and {len(unused) - MAX_LISTED} more" if len(unused) > MAX_LISTED else ""
        yield Finding(
            severity=Severity.INFO,
            code="UNUSED_OPTIONS",
            message=f"kept, but not used by this version: {listed}{more}",
            path=("config", unused[0].key),
        )


def _longer_than_run(
    environment: EnvironmentRow, key: str, interval: int, *, code: str, total_steps: int, consequence: str
) -> Finding:
    shorter = max(1, total_steps // 10)
    return Finding(
        severity=Severity.INFO,
        code=code,
        message=f"{key} is {interval} and the run has {total_steps} steps: {consequence}",
        path=("config", key),
        suggestions=(_change(environment, f"Every {shorter} steps", {key: shorter}),),
    )


def _change(environment: EnvironmentRow, label: str, changes: Mapping[str, Any]) -> Suggestion:
    return Suggestion(
        label=label,
        target="environment",
        id=environment.id,
        expected_version=environment.revision,
        set=changes,
    )


def _ways_out(
    plan: EpochPlan, environment: EnvironmentRow, rows: Sequence[DatasetRow], config: TrainingConfig
) -> Iterator[Suggestion]:
    smallest = min(bucket.count.num_shown for bucket in plan.undersized)
    batch = _fitting_batch(config, smallest)
    if batch is not None:
        yield _change(environment, f"Batch size {batch['train_batch_size']}", batch)
    for row in rows:
        mine = [bucket for bucket in plan.undersized if bucket.count.dataset == row.config.get("id", row.name)]
        if mine:
            repeats = max(bucket.smallest_repeats for bucket in mine)
            yield Suggestion(
                label=f"Repeats {repeats} for {row.name}",
                target="dataset",
                id=row.id,
                expected_version=row.revision,
                set={"repeats": repeats},
            )
    yield _change(environment, "Fill up small buckets", {"allow_dataset_oversubscription": True})
    if len(plan.undersized) < len(plan.buckets):
        yield _change(environment, "Leave out small buckets", {"allow_bucket_pruning": True})


def _fitting_batch(config: TrainingConfig, smallest: int) -> dict[str, int] | None:
    """The largest batch size that a bucket of that many pictures can fill; without accumulation, if it must be."""
    size = smallest // (config.num_processes * config.gradient_accumulation_steps)
    if size:
        return {"train_batch_size": size}
    size = smallest // config.num_processes
    return {"train_batch_size": size, "gradient_accumulation_steps": 1} if size else None


def _listed(names: Sequence[str], total: int) -> str:
    return ", ".join(names) + (" …" if total > len(names) else "")
