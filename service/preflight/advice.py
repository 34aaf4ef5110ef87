"""What can be trained and hardly anybody means: each with the reason, and a change that mends it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from domain.config.captions import TEXT_ENDINGS, CaptionRules, caption_rules_of, filters_of
from domain.config.dataset import DatasetConfig
from domain.config.options import options_by_key
from domain.config.training import TrainingConfig
from domain.families.family import Family, Flavour
from service.preflight.findings import Finding, Severity, Suggestion
from service.read_models.dataset import DatasetRow
from service.read_models.environment import EnvironmentRow

SMALLEST_OF_PRODIGY = 0.1
OF_PRODIGY = 1.0
USUAL, USUAL_OF_ALL_WEIGHTS = 1e-4, 1e-5
UNLIKE_ADAM = (
    "prodigy",
    "torch-sgd",
    "optimi-sgd",
    "torch-adadelta",
    "torch-adagrad",
    "torch-adafactor",
    "muon",
    "torch-asgd",
)
"""Whose learning rates are of another size; Adafactor's is a bound."""

STRONGEST, WEAKEST = 4, 1 / 16
"""How many times an adapter may count as one whose alpha is its rank, until somebody should look."""

FEW_CAPTIONS, FEW_BYTES = 50, 10_000

Change = Callable[..., Suggestion]


def advice_on(
    environment: EnvironmentRow,
    config: TrainingConfig,
    datasets: Sequence[tuple[DatasetRow, DatasetConfig]],
    *,
    family: Family,
    flavour: Flavour | None,
    total_steps: int | None,
) -> Iterator[Finding]:
    """datasets: that are trained on. flavour: None for weights of one's own."""
    change = partial(Suggestion, target="environment", id=environment.id, expected_version=environment.revision)
    rules = [
        (row, dataset, caption_rules_of(dataset, config, filters=filters_of(dataset))) for row, dataset in datasets
    ]
    yield from _on_base(config, family, flavour, change)
    yield from _on_rate(config, change)
    yield from _on_alpha(config, change)
    yield from _on_alpha_elsewhere(config, family, change)
    yield from _on_length(config, total_steps, change)
    yield from _on_dropout(config, family, [each for _, _, each in rules], change)
    for row, dataset, each in rules:
        yield from _on_trigger(row, dataset, each)
    if config.validation_disable:
        yield _said(
            "VALIDATION_DISABLED",
            "validation_disable is on, so no pictures show how training goes, and the loss hardly does",
            "validation_disable",
            change(label="Make pictures", set={"validation_disable": False}),
            severity=Severity.INFO,
        )


def _on_base(config: TrainingConfig, family: Family, flavour: Flavour | None, change: Change) -> Iterator[Finding]:
    has_assistant = bool(config.assistant_lora_path) and not config.disable_assistant_lora
    if flavour is None or not flavour.is_distilled or (has_assistant and config.model_type == "lora"):
        return
    others = [each for each in family.flavours if not each.is_distilled and each.obstacle is None]
    yield _said(
        "DISTILLED_BASE",
        f"{flavour.name} was distilled to draw in a few steps, which training undoes, so that pictures in few steps blur; train "
        "another flavour, or a LoRA beside an assistant that keeps it so, which assistant_lora_path names",
        "model_flavour",
        *(change(label=f"Train on {each.name}", set={"model_flavour": each.key}) for each in others[:1]),
    )


def _on_rate(config: TrainingConfig, change: Change) -> Iterator[Finding]:
    rate, optimizer = config.learning_rate, config.optimizer
    better, reason = None, ""
    if optimizer == "prodigy":
        if rate < SMALLEST_OF_PRODIGY:
            better, reason = (
                OF_PRODIGY,
                "prodigy finds its rate by itself and multiplies it by this one, which should be 1",
            )
    elif optimizer in UNLIKE_ADAM:
        return
    elif rate >= SMALLEST_OF_PRODIGY:
        better, reason = (
            USUAL,
            f"with {optimizer} that destroys the model within a few steps; {USUAL:g} suits most LoRAs",
        )
    elif "lion" in optimizer and rate >= USUAL:
        better, reason = rate / 10, "Lion moves every weight by all of it; a tenth of AdamW's is usual"
    elif config.model_type == "full" and rate >= USUAL:
        better, reason = (
            USUAL_OF_ALL_WEIGHTS,
            "that suits LoRAs; all weights learn with a tenth or less, or forget the rest",
        )
    if better is not None:
        yield _said(
            "LEARNING_RATE",
            f"learning_rate is {rate:g}: {reason}",
            "learning_rate",
            change(label=f"Learning rate {better:g}", set={"learning_rate": float(f"{better:.3g}")}),
        )


def _on_alpha(config: TrainingConfig, change: Change) -> Iterator[Finding]:
    """Of LoRA: what it learns is multiplied by alpha over the rank."""
    if config.model_type != "lora" or config.lora_type != "standard" or config.lora_alpha is None or config.use_rslora:
        return
    times = config.lora_alpha / config.lora_rank
    if WEAKEST <= times <= STRONGEST:
        return
    yield _said(
        "ALPHA_AND_RANK",
        f"lora_alpha is {config.lora_alpha:g} and lora_rank is {config.lora_rank}, so what the adapter learns counts {times:.3g} "
        f"times, and it learns {'so much faster' if times > 1 else 'so much slower'}; leave lora_alpha empty to count once",
        "lora_alpha",
        change(label="Alpha as the rank", unset=("lora_alpha",)),
    )


def _on_alpha_elsewhere(config: TrainingConfig, family: Family, change: Change) -> Iterator[Finding]:
    """ComfyUI finds layers of transformers by diffusers' names, but no alpha; of UNets it finds none."""
    is_found = family.has_comfyui_names and "UNet" not in family.denoiser
    if (
        not is_found
        or config.model_type != "lora"
        or config.lora_type != "standard"
        or config.lora_format != "diffusers"
    ):
        return
    alpha = config.lora_alpha or config.lora_rank
    times = alpha / (config.lora_rank**0.5 if config.use_rslora else config.lora_rank)
    if times == 1:
        return
    also = ", which diffusers reads as well" if family.diffusers_reads_comfyui else ""
    renamed = change(label="Format of ComfyUI", set={"lora_format": "comfyui"})
    once = change(label="Alpha as the rank", unset=("lora_alpha", "use_rslora"))
    may_rename = not config.use_dora and not config.peft_lora_target_modules
    yield _said(
        "OTHER_STRENGTH_IN_COMFYUI",
        f"the adapter counts {times:.3g} times, as its file says in a header that ComfyUI does not read: there it counts once; "
        f"set lora_format to comfyui for that{also}, or leave lora_alpha empty and use_rslora off",
        "lora_format",
        *([renamed] if may_rename else []),
        once,
        severity=Severity.INFO,
    )


def _on_length(config: TrainingConfig, total_steps: int | None, change: Change) -> Iterator[Finding]:
    if not total_steps:
        return
    warms_up = config.lr_scheduler != "constant" or config.optimizer == "adamw_schedulefree"
    if warms_up and config.lr_warmup_steps >= total_steps:
        fewer = total_steps // 10
        yield _said(
            "WARM_UP_LONGER_THAN_RUN",
            f"lr_warmup_steps is {config.lr_warmup_steps} and the run has {total_steps} steps, so the learning rate never "
            "arrives",
            "lr_warmup_steps",
            change(label=f"Warm up for {fewer} steps", set={"lr_warmup_steps": fewer}),
        )
    late = max(config.ema_warmup_steps, config.ema_update_interval - 1)
    if config.use_ema and late >= total_steps:
        key = "ema_warmup_steps" if config.ema_warmup_steps >= total_steps else "ema_update_interval"
        yield _said(
            "AVERAGE_NEVER_BEGINS",
            f"use_ema is on, but {key} is {getattr(config, key)} and the run has {total_steps} steps, so there is no average",
            key,
            change(label="Average from the beginning", set={"ema_warmup_steps": 0, "ema_update_interval": 1}),
        )
    if config.optimizer == "adamw_schedulefree" and not config.lr_scheduler.startswith("constant"):
        yield _said(
            "SCHEDULE_NOT_USED",
            f"lr_scheduler is {config.lr_scheduler}, but adamw_schedulefree has no schedule beyond its warm-up",
            "lr_scheduler",
            change(label="A constant rate", set={"lr_scheduler": "constant_with_warmup"}),
            severity=Severity.INFO,
        )


def _on_dropout(
    config: TrainingConfig, family: Family, rules: Sequence[CaptionRules], change: Change
) -> Iterator[Finding]:
    """Of families that are guided by a second pass without a caption."""
    is_guided_within = options_by_key(TrainingConfig)["flux_guidance_mode"].matters_to(family.key)
    described = [each for each in rules if each.reads_captions]
    if is_guided_within or not described or any(each.dropout for each in described):
        return
    yield _said(
        "CAPTIONS_NEVER_DROPPED",
        "caption_dropout_probability is 0, so what the model draws without a caption, which guidance moves away from, is not "
        "trained with the rest; 0.1 is usual",
        "caption_dropout_probability",
        change(label="Drop a tenth", set={"caption_dropout_probability": 0.1}),
        severity=Severity.INFO,
    )


def _on_trigger(row: DatasetRow, dataset: DatasetConfig, rules: CaptionRules) -> Iterator[Finding]:
    """An instance prompt that only stands in for captions, where no caption has it."""
    words = [each.casefold() for each in rules.instance_prompts]
    is_local = dataset.type == "local" and not dataset.is_listed_by_table
    if not words or not is_local or not rules.reads_captions or rules.prepends_instance_prompt:
        return
    if rules.strategy != "textfile" or dataset.is_regularisation_data:
        return
    captions = list(islice(_captions_in(Path(dataset.instance_data_dir)), FEW_CAPTIONS))
    if not captions or any(word in caption for word in words for caption in captions):
        return
    prepend: Mapping[str, Any] = {"prepend_instance_prompt": True}
    yield Finding(
        severity=Severity.WARNING,
        code="TRIGGER_NOT_IN_CAPTIONS",
        message=f"the instance prompt of the dataset {row.name!r} stands in where pictures have no caption, but they have some, "
        "and none of those has it, so it is not learned; put it before each caption",
        path=("datasets", row.name, "prepend_instance_prompt"),
        suggestions=(
            Suggestion(
                label="Put it before each caption",
                target="dataset",
                id=row.id,
                expected_version=row.revision,
                set=prepend,
            ),
        ),
    )


def _captions_in(folder: Path) -> Iterator[str]:
    """Of the folder itself, from plain files alone."""
    try:
        with os.scandir(folder) as entries:
            names = [
                each.path
                for each in entries
                if each.name.endswith(TEXT_ENDINGS) and each.is_file(follow_symlinks=False)
            ]
    except OSError:
        return
    for name in sorted(names):
        try:
            with open(name, "rb") as file:
                yield file.read(FEW_BYTES).decode("utf-8", "replace").casefold()
        except OSError:
            continue


def _said(code: str, message: str, key: str, *ways_out: Suggestion, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(severity=severity, code=code, message=message, path=("config", key), suggestions=ways_out)
