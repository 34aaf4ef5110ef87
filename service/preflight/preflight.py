"""What would happen if a run started now, as far as that can be said without loading anything.

The same look decides whether a start is refused: what is an error here keeps a run from starting, nothing else does.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.config.batches import BucketCount, EpochPlan, plan_epoch
from domain.config.buckets import Shape, Size, geometry_of
from domain.config.cache_use import cache_use
from domain.config.captions import caption_rules_of, filters_of
from domain.config.checks import check_dataset, check_startable, check_training, flavour_of, unusable_choices
from domain.config.dataset import DatasetConfig
from domain.config.effective import effective_config, is_default_environment
from domain.config.memory import MemoryEstimate
from domain.config.mixing import Mixture, mixture_of
from domain.config.roles import masks_of, role_problems
from domain.config.rules import start_problems
from domain.config.training import TrainingConfig
from domain.config.unused import unused_options
from domain.config.validation_times import num_pictures, num_validations
from domain.config.variables import resolve_variables
from domain.errors import InvalidInput
from domain.families.family import Family, Flavour
from domain.families.registry import FAMILIES
from service.parts import Parts
from service.preflight import machine
from service.preflight.adapter import with_settings
from service.preflight.advice import advice_on
from service.preflight.findings import Finding, Severity, Suggestion, refused
from service.preflight.masks import Masks
from service.preflight.needs import Disk, Extent, disk_of, memory_of, problems_of_needs
from service.preflight.pictures import Folder, look_at
from service.preflight.remarks import (
    not_drawn,
    not_looked_at,
    problems_of_evaluation,
    problems_of_folder,
    problems_of_mixture,
    problems_of_plan,
    remarks_on,
    remarks_on_optimizer,
)
from service.preflight.shapes import num_trained
from service.preflight.weights import (
    Download,
    find_download,
    find_weights,
    has_token_of_machine,
    problems_of_adapters,
    problems_of_weights,
)
from service.read_models.dataset import DatasetRow, find_datasets
from service.read_models.environment import EnvironmentRow, find_default_environment
from service.secrets.listing import has_hub_token

PATIENCE_SECONDS = 8.0
"""How long sizes of pictures are read before the known ones stand for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """plan, memory, disk: None where the configuration cannot be judged, or nobody knows. is_estimate: the sizes of some
    pictures are not known yet. available_bytes: of one device; None when that is not known. download: None where all weights
    are here. num_trained: parameters of the adapter; None where weights that are here do not tell."""

    findings: tuple[Finding, ...]
    plan: EpochPlan | None = None
    mixture: Mixture | None = None
    shapes: tuple[Shape, ...] = ()
    num_images: int = 0
    total_steps: int | None = None
    effective_batch_size: int | None = None
    memory: MemoryEstimate | None = None
    available_bytes: int | None = None
    disk: Disk | None = None
    download: Download | None = None
    is_estimate: bool = False
    num_trained: int | None = None
    num_validation_images: int | None = None

    @property
    def is_ok(self) -> bool:
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def steps_per_epoch(self) -> int | None:
        """Of the first one: later ones can have other datasets."""
        return self.mixture.num_steps(0) if self.mixture else None

    @property
    def epochs(self) -> int | None:
        """In how many the steps are made; the last one can be cut short."""
        last = self.mixture.epoch_of(self.total_steps - 1) if self.mixture and self.total_steps else None
        return None if last is None else last + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What is looked at. written: the configuration before it was checked. datasets: those that pictures can be looked for
    in. readable: all that can be understood."""

    parts: Parts
    environment: EnvironmentRow
    config: TrainingConfig
    written: Mapping[str, Any]
    datasets: Sequence[tuple[DatasetRow, DatasetConfig]]
    readable: Sequence[DatasetConfig]
    family: Family
    flavour: Flavour | None
    available_bytes: int | None
    download: Download | None
    num_trained: int | None

    @property
    def trained_on(self) -> list[tuple[DatasetRow, DatasetConfig]]:
        return [(row, dataset) for row, dataset in self.datasets if not dataset.is_held_out]


@dataclass(slots=True)
class _Seen:
    """Of datasets that are trained on. wanted: of each, where nothing is known of its pictures."""

    counts: list[BucketCount] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    wanted: list[Shape] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def look(parts: Parts, environment: EnvironmentRow, *, devices: Sequence[int], user_id: UUID | None) -> Preflight:
    """devices: the GPUs that were chosen; none: any."""
    with parts.database.reading() as session:
        default = None if is_default_environment(environment.name) else find_default_environment(session)
        rows = find_datasets(session, environment.dataset_ids)
        has_token = has_hub_token(session, user_id) or has_token_of_machine(parts.settings.environment)
    written = effective_config(environment.config, default.config if default else None)
    try:
        config = check_training(resolve_variables(written, parts.settings.config_variables))
        check_startable(config)
        config = with_settings(config, open_folders=parts.settings.allowed_paths)
    except InvalidInput as refusal:
        return Preflight(findings=tuple(refused(refusal, code="INVALID_CONFIG")))
    family = FAMILIES[config.model_family]
    flavour = None if config.pretrained_model_name_or_path else flavour_of(config)
    gpus = machine.gpu_bytes()
    download = find_download(
        config.pretrained_model_name_or_path,
        family=family,
        flavour=flavour,
        variant=config.variant,
        environment=parts.settings.environment,
    )
    findings = [
        *problems_of_weights(
            config.pretrained_model_name_or_path,
            family=family,
            flavour=flavour,
            download=download,
            environment=parts.settings.environment,
            has_token=has_token,
        ),
        *problems_of_adapters(config),
        *_problems_of_devices(environment, config, devices, num_gpus=len(gpus)),
        *remarks_on_optimizer(environment, config, num_gpus=len(gpus), installed=machine.is_installed),
    ]
    datasets, more = _checked(environment, config, rows, parts)
    findings += [*more, *problems_of_evaluation(config, [dataset.id for _, dataset in datasets if dataset.is_held_out])]
    if all(dataset.is_held_out for _, dataset in datasets):
        return Preflight(findings=tuple(findings), download=download)
    chosen = [gpus[device] for device in devices if 0 <= device < len(gpus)] or gpus
    subject = _Subject(
        parts=parts,
        environment=environment,
        config=config,
        written=written,
        datasets=datasets,
        readable=list(_readable(rows, parts)),
        family=family,
        flavour=flavour,
        available_bytes=min(chosen, default=machine.ram_bytes()),
        download=download,
        num_trained=_num_trained(config, family=family, flavour=flavour, parts=parts),
    )
    return _look_at_pictures(subject, findings)


def _look_at_pictures(subject: _Subject, findings: list[Finding]) -> Preflight:
    """findings: what was found without pictures."""
    config, environment = subject.config, subject.environment
    seen = _see_pictures(subject)
    plan = plan_epoch(
        seen.counts,
        effective_batch_size=config.effective_batch_size,
        oversubscribes=config.allow_dataset_oversubscription,
        prunes=config.allow_bucket_pruning,
    )
    unseen = len(subject.trained_on) - len(seen.folders)
    is_estimate = unseen > 0 or any(folder.num_unknown for folder in seen.folders)
    mixture = mixture_of(plan, [dataset for _, dataset in subject.datasets], config)
    total_steps = config.max_train_steps or (mixture.first_step(config.num_train_epochs) if not unseen else 0) or None
    findings = [*findings, *seen.findings]
    if not plan.undersized and not unseen:
        findings += problems_of_mixture(mixture.problem(total_steps=total_steps or 0), is_estimate=is_estimate)
    rows = [row for row, _ in subject.trained_on]
    findings += problems_of_plan(plan, environment, rows, config=config, is_estimate=is_estimate)
    validations = num_validations(
        config, total_steps=total_steps or 0, steps_per_epoch=max(1, mixture.num_steps(0)) if seen.folders else 1
    )
    memory, disk, more = _needs_of(subject, seen, plan, total_steps=total_steps, num_validations=validations)
    findings += more
    findings += remarks_on(environment, config, unused=unused_options(subject.written), total_steps=total_steps)
    findings += advice_on(
        environment,
        config,
        subject.trained_on,
        family=subject.family,
        flavour=subject.flavour,
        total_steps=total_steps,
    )
    return Preflight(
        findings=tuple(findings),
        plan=plan if seen.folders else None,
        mixture=mixture if seen.folders else None,
        shapes=tuple(seen.shapes),
        num_images=sum(bucket.count.num_images for bucket in plan.buckets),
        total_steps=total_steps,
        effective_batch_size=config.effective_batch_size,
        memory=memory,
        available_bytes=subject.available_bytes,
        disk=disk,
        download=subject.download,
        is_estimate=is_estimate,
        num_trained=subject.num_trained,
        num_validation_images=validations * num_pictures(config) if total_steps else None,
    )


def _see_pictures(subject: _Subject) -> _Seen:
    """What the ones before leave of the time is shared, so that something is known of each."""
    config, parts = subject.config, subject.parts
    until = time.monotonic() + PATIENCE_SECONDS
    seen = _Seen()
    for place, (row, dataset) in enumerate(subject.datasets):
        share = (until - time.monotonic()) / (len(subject.datasets) - place)
        geometry = geometry_of(dataset, config, subject.family)
        if not dataset.is_held_out:
            num_frames = geometry.clips.num_frames if geometry.clips else 1
            seen.wanted.append(Shape(Size(geometry.edge, geometry.edge), num_frames))
        if dataset.type != "local" or dataset.is_listed_by_table:
            seen.findings.append(not_looked_at(row, dataset))
            continue
        paired = masks_of(dataset, subject.readable)
        folder = look_at(
            parts.database,
            dataset,
            geometry,
            captions=caption_rules_of(dataset, config, filters=filters_of(dataset)),
            seed=config.seed,
            until=time.monotonic() + share,
            open_folders=parts.settings.allowed_paths,
            maker=parts.pictures,
            masks=Masks(paired) if paired is not None and paired.type == "local" else None,
        )
        seen.findings += problems_of_folder(row, dataset, folder, config=config)
        if dataset.is_held_out:
            continue
        seen.folders.append(folder)
        for shape, count in sorted(folder.scaled().items()):
            seen.shapes.append(shape)
            seen.counts.append(
                BucketCount(dataset=dataset.id, bucket=str(shape), num_images=count, repeats=dataset.repeats)
            )
    return seen


def _needs_of(
    subject: _Subject, seen: _Seen, plan: EpochPlan, *, total_steps: int | None, num_validations: int
) -> tuple[MemoryEstimate | None, Disk | None, list[Finding]]:
    """Memory and disk, and what there is too little of."""
    num_of_dataset = Counter[str]()
    for bucket in plan.buckets:
        num_of_dataset[bucket.count.dataset] += bucket.count.num_images
    uses = {dataset.id: cache_use(dataset, subject.config) for _, dataset in subject.trained_on}
    largest = max(seen.shapes or seen.wanted, key=lambda shape: _pixels_of(shape, subject.family))
    extent = Extent(
        family=subject.family,
        flavour=subject.flavour,
        pixels=largest.size.width * largest.size.height,
        num_frames=largest.num_frames,
        uses=list(uses.values()),
        num_trained=subject.num_trained,
    )
    memory = memory_of(subject.config, extent)
    disk = disk_of(
        subject.config,
        extent,
        pictures=[(use, num_of_dataset[id]) for id, use in uses.items()],
        runs=subject.parts.settings.runs,
        download=subject.download,
        total_steps=total_steps,
        num_validations=num_validations,
    )
    findings = problems_of_needs(
        subject.environment,
        subject.config,
        extent,
        memory=memory,
        available_bytes=subject.available_bytes,
        disk=disk,
    )
    return memory, disk, list(findings)


def _pixels_of(shape: Shape, family: Family) -> int:
    """Of a picture that comes to as many latents: which shape needs the most memory and disk goes by these."""
    num_latent_frames = family.video.num_latent_frames(shape.num_frames) if family.video else 1
    return shape.size.width * shape.size.height * num_latent_frames


def _num_trained(config: TrainingConfig, *, family: Family, flavour: Flavour | None, parts: Parts) -> int | None:
    """By the weights that are on this machine."""
    base = find_weights(config.pretrained_model_name_or_path, flavour=flavour, environment=parts.settings.environment)
    return None if base is None else num_trained(config, base, family=family)


def _checked(
    environment: EnvironmentRow, config: TrainingConfig, rows: Sequence[DatasetRow], parts: Parts
) -> tuple[list[tuple[DatasetRow, DatasetConfig]], list[Finding]]:
    """The datasets that pictures can be looked for in, and what is wrong with the others."""
    if not rows:
        message = f"the environment {environment.name!r} has no dataset; add one to train on"
        return [], [Finding(severity=Severity.ERROR, code="NO_DATASET", message=message)]
    good: list[tuple[DatasetRow, DatasetConfig]] = []
    findings: list[Finding] = []
    readable = list(_readable(rows, parts))
    for row in rows:
        try:
            dataset = check_dataset(resolve_variables(row.config, parts.settings.config_variables))
            problems = tuple(unusable_choices(dataset)) or (
                *start_problems(dataset, config),
                *role_problems(dataset, readable),
            )
            if problems:
                raise InvalidInput.from_problems(problems)
        except InvalidInput as refusal:
            findings += [
                Finding(
                    severity=Severity.ERROR,
                    code="INVALID_DATASET",
                    message=f"dataset {row.name!r}: {finding.message}",
                    path=("datasets", row.name, *finding.path[1:]),
                )
                for finding in refused(refusal, code="INVALID_DATASET")
            ]
        else:
            if dataset.is_held_out or (dataset.is_trained_on and dataset.probability > 0):
                good.append((row, dataset))
            elif dataset.is_trained_on:
                findings.append(not_drawn(row))
    has_error = any(finding.severity is Severity.ERROR for finding in findings)
    if not has_error and not any(dataset.is_trained_on for _, dataset in good):
        alone = "datasets of kind eval alone; add one to train on"
        none = "no dataset that is trained on; add one, or switch one on"
        message = f"the environment {environment.name!r} has {alone if good else none}"
        findings.append(Finding(severity=Severity.ERROR, code="NO_DATASET", message=message))
    return good, findings


def _readable(rows: Sequence[DatasetRow], parts: Parts) -> Iterator[DatasetConfig]:
    """What is wrong with the others is found elsewhere."""
    for row in rows:
        with suppress(InvalidInput):
            yield check_dataset(resolve_variables(row.config, parts.settings.config_variables))


def _problems_of_devices(
    environment: EnvironmentRow, config: TrainingConfig, devices: Sequence[int], *, num_gpus: int
) -> Iterator[Finding]:
    """Where no GPU answers, as when there is none, any index is taken."""
    unknown = [device for device in devices if device < 0 or 0 < num_gpus <= device]
    if unknown or len(set(devices)) < len(devices):
        wrong = f"there is no GPU {unknown[0]}" if unknown else "a GPU is chosen twice"
        known = f"; there are GPUs 0 to {num_gpus - 1}" if num_gpus else ""
        message = f"devices are {', '.join(map(str, devices))}, but {wrong}{known}; choose others"
        yield Finding(severity=Severity.ERROR, code="UNKNOWN_DEVICE", message=message, path=("devices",))
        return
    num_devices = len(devices) or num_gpus
    if num_devices and config.num_processes > num_devices:
        yield Finding(
            severity=Severity.ERROR,
            code="TOO_FEW_DEVICES",
            message=f"num_processes is {config.num_processes} but there "
            f"{'is 1 GPU' if num_devices == 1 else f'are {num_devices} GPUs'} for it; lower num_processes",
            path=("config", "num_processes"),
            suggestions=(
                Suggestion(
                    label="Train on 1 GPU" if num_devices == 1 else f"Train on {num_devices} GPUs",
                    target="environment",
                    id=environment.id,
                    expected_version=environment.revision,
                    set={"num_processes": num_devices},
                ),
            ),
        )
