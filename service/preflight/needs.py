"""What a run needs of the machine: memory in each phase, and room on the disk."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from domain.config.cache_use import CacheUse
from domain.config.checks import validation_frames
from domain.config.memory import MemoryEstimate, cache_bytes_per_image, checkpoint_bytes, estimate_memory
from domain.config.memory_plan import MemoryPlan
from domain.config.presets import changes_for, memory_presets
from domain.config.training import TrainingConfig
from domain.config.validation_times import bytes_of_pictures
from domain.families.denoisers import denoiser_of
from domain.families.family import Family, Flavour
from service.preflight import machine
from service.preflight.findings import Finding, Severity, Suggestion
from service.preflight.weights import GB, Download, is_of_family
from service.read_models.environment import EnvironmentRow


@dataclass(frozen=True, slots=True)
class Disk:
    """num_kept: how many checkpoints are left at the end. num_beside: how many more lie there at once. download_bytes: of
    weights that come to the same disk, an estimate. free_bytes: None when that is not known. picture_bytes: of all
    validation images, an estimate."""

    checkpoint_bytes: int
    cache_bytes: int
    num_kept: int
    num_beside: int
    free_bytes: int | None
    download_bytes: int = 0
    picture_bytes: int = 0

    @property
    def needed_bytes(self) -> int:
        return self.checkpoint_bytes * (self.num_kept + self.num_beside) + self._beside_checkpoints

    @property
    def num_fitting_checkpoints(self) -> int:
        left = (self.free_bytes or 0) - self._beside_checkpoints
        return max(0, left) // max(1, self.checkpoint_bytes)

    @property
    def _beside_checkpoints(self) -> int:
        return self.cache_bytes + self.download_bytes + self.picture_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a run has to hold, besides what its configuration says.

    pixels, num_frames: of what needs the most of all that is trained on. uses: of each dataset. num_trained: parameters,
    where they are counted.
    """

    family: Family
    flavour: Flavour | None
    pixels: int
    num_frames: int
    uses: Sequence[CacheUse]
    num_trained: int | None

    def plan(self, config: TrainingConfig) -> MemoryPlan:
        return replace(MemoryPlan.of(config.model_dump()), num_trained=self.num_trained)


def memory_of(config: TrainingConfig, extent: Extent) -> MemoryEstimate | None:
    """None where the weights are others than those whose size is known."""
    if not _is_known(config, extent.family):
        return None
    return estimate_memory(
        extent.plan(config),
        family=extent.family,
        flavour=extent.flavour,
        pixels=extent.pixels,
        num_frames=extent.num_frames,
        drawn_frames=validation_frames(config, num_frames=extent.num_frames),
        num_devices=config.num_processes,
        text_while_training=any(not use.builds_text for use in extent.uses),
        pictures_while_training=any(not use.builds_latents for use in extent.uses),
    )


def disk_of(
    config: TrainingConfig,
    extent: Extent,
    *,
    pictures: Sequence[tuple[CacheUse, int]],
    runs: Path,
    download: Download | None,
    total_steps: int | None,
    num_validations: int,
) -> Disk | None:
    """num_validations: in the whole run. pictures: how many each dataset has, with what is kept of them. None where the
    sizes are not known."""
    plan = extent.plan(config)
    checkpoint = checkpoint_bytes(plan, family=extent.family, flavour=extent.flavour)
    cached = [
        (
            cache_bytes_per_image(
                plan,
                family=extent.family,
                flavour=extent.flavour,
                pixels=extent.pixels,
                num_frames=extent.num_frames,
                keeps_latents=use.keeps_latents,
                keeps_text=use.keeps_text,
            ),
            num_images,
        )
        for use, num_images in pictures
    ]
    if checkpoint is None or any(each is None for each, _ in cached) or not _is_known(config, extent.family):
        return None
    rolling = config.checkpoints_rolling_total_limit if config.checkpointing_rolling_steps else 0
    # Two more than are kept: the oldest goes when the newest is whole, and the best may be an older one.
    return Disk(
        checkpoint_bytes=checkpoint,
        cache_bytes=sum((each or 0) * num_images for each, num_images in cached),
        num_kept=config.checkpoints_total_limit or _num_saved(config, total_steps),
        num_beside=rolling + 2,
        free_bytes=machine.free_disk_bytes(runs),
        download_bytes=(download.bytes or 0) if download and machine.is_same_disk(runs, download.folder) else 0,
        picture_bytes=num_validations * bytes_of_pictures(config, pixels=extent.pixels),
    )


def _num_saved(config: TrainingConfig, total_steps: int | None) -> int:
    """In a whole run, of whose length nothing may be known yet."""
    return max(1, math.ceil((total_steps or 0) / config.checkpoint_step_interval))


def problems_of_needs(
    environment: EnvironmentRow,
    config: TrainingConfig,
    extent: Extent,
    *,
    memory: MemoryEstimate | None,
    available_bytes: int | None,
    disk: Disk | None,
) -> Iterator[Finding]:
    if memory is not None and available_bytes is not None and memory.at_least_bytes > available_bytes:
        phase = max(memory.phases, key=lambda each: each.bytes)
        presets = _presets_that_fit(environment, config, extent, available_bytes=available_bytes)
        shorter = ", shorter clips" if extent.num_frames > 1 else ""
        yield Finding(
            severity=Severity.WARNING,
            code="MEMORY",
            message=f"{phase.phase.replace('_', ' ')} needs about {phase.bytes / GB:.1f} GB of memory, and there are "
            f"{available_bytes / GB:.1f} GB; take a memory preset, a lower "
            f"resolution{shorter} or a smaller batch",
            path=("config", "train_batch_size"),
            suggestions=tuple(presets),
        )
    if disk is not None and disk.free_bytes is not None and disk.needed_bytes > disk.free_bytes:
        yield Finding(
            severity=Severity.WARNING,
            code="DISK_SPACE",
            message=f"checkpoints{', caches and the download of weights' if disk.download_bytes else ' and caches'} need about "
            f"{disk.needed_bytes / GB:.1f} GB, and {disk.free_bytes / GB:.1f} GB are free; make room, or keep fewer checkpoints",
            path=("config", "checkpoints_total_limit"),
            suggestions=tuple(_fewer_checkpoints(environment, disk)),
        )


def _presets_that_fit(
    environment: EnvironmentRow, config: TrainingConfig, extent: Extent, *, available_bytes: int
) -> Iterator[Suggestion]:
    """From the gentlest, each with what it would change."""
    for preset in memory_presets(extent.family):
        changes = changes_for(preset, config)
        memory = memory_of(config.model_copy(update=changes), extent)
        if memory is not None and memory.at_least_bytes <= available_bytes:
            yield Suggestion(
                label=f"Memory preset {preset.name}",
                target="environment",
                id=environment.id,
                expected_version=environment.revision,
                set=changes,
            )


def _fewer_checkpoints(environment: EnvironmentRow, disk: Disk) -> Iterator[Suggestion]:
    """As many as there is room for; nothing where not even one can be kept."""
    limit = disk.num_fitting_checkpoints - disk.num_beside
    if limit >= 1:
        yield Suggestion(
            label="Keep one checkpoint" if limit == 1 else f"Keep {limit} checkpoints",
            target="environment",
            id=environment.id,
            expected_version=environment.revision,
            set={"checkpoints_total_limit": limit},
        )


def _is_known(config: TrainingConfig, family: Family) -> bool:
    flavour = family.flavour(config.model_flavour)
    denoiser = denoiser_of(family.key, config.model_flavour or family.default_flavour)
    return denoiser is not None and is_of_family(
        config.pretrained_model_name_or_path, num_parameters=denoiser.parameters, family=family, flavour=flavour
    )
