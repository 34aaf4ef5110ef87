"""What a run needs of the machine: memory in each phase, and room on the disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from domain.config.memory import MemoryEstimate, cache_bytes_per_image, checkpoint_bytes, estimate_memory
from domain.config.memory_plan import MemoryPlan
from domain.config.presets import memory_presets
from domain.config.training import TrainingConfig
from domain.families.denoisers import denoiser_of
from domain.families.family import Family, Flavour
from service.preflight import machine
from service.preflight.findings import Finding, Severity, Suggestion
from service.preflight.weights import is_of_family
from service.read_models.environment import EnvironmentRow

GB = 1e9


@dataclass(frozen=True, slots=True)
class Disk:
    """needed_bytes: of checkpoints, weights and caches together. free_bytes: None when that is not known."""

    needed_bytes: int
    free_bytes: int | None


def memory_of(config: TrainingConfig, *, family: Family, flavour: Flavour | None, pixels: int) -> MemoryEstimate | None:
    """pixels: of the largest pictures. None where the weights are others than those whose size is known."""
    if not _is_known(config, family):
        return None
    return estimate_memory(
        MemoryPlan.of(config.model_dump()),
        family=family,
        flavour=flavour,
        pixels=pixels,
        num_devices=config.num_processes,
        keeps_everything=True,
    )


def disk_of(
    config: TrainingConfig, *, family: Family, flavour: Flavour | None, pixels: int, num_images: int, runs: Path
) -> Disk | None:
    """None where the sizes are not known."""
    plan = MemoryPlan.of(config.model_dump())
    checkpoint = checkpoint_bytes(plan, family=family, flavour=flavour)
    cached = cache_bytes_per_image(plan, family=family, flavour=flavour, pixels=pixels)
    if checkpoint is None or cached is None or not _is_known(config, family):
        return None
    # One more than are kept: the oldest goes when the newest is whole.
    needed = checkpoint * (config.checkpoints_total_limit + 1) + cached * num_images
    return Disk(needed, machine.free_disk_bytes(runs))


def problems_of_needs(
    environment: EnvironmentRow,
    config: TrainingConfig,
    family: Family,
    *,
    memory: MemoryEstimate | None,
    available_bytes: int | None,
    disk: Disk | None,
) -> Iterator[Finding]:
    if memory is not None and available_bytes is not None and memory.at_least_bytes > available_bytes:
        phase = max(memory.phases, key=lambda each: each.bytes)
        yield Finding(
            severity=Severity.WARNING,
            code="MEMORY",
            message=f"{phase.phase.replace('_', ' ')} needs about {phase.bytes / GB:.1f} GB of memory, and there are "
            f"{available_bytes / GB:.1f} GB; take a memory preset, smaller pictures or a smaller batch",
            path=("config", "train_batch_size"),
            suggestions=tuple(_presets(environment, config, family)),
        )
    if disk is not None and disk.free_bytes is not None and disk.needed_bytes > disk.free_bytes:
        yield Finding(
            severity=Severity.WARNING,
            code="DISK_SPACE",
            message=f"checkpoints and caches need about {disk.needed_bytes / GB:.1f} GB, and {disk.free_bytes / GB:.1f} GB "
            "are free; make room, or keep fewer checkpoints",
            path=("config", "checkpoints_total_limit"),
            suggestions=(
                Suggestion(
                    label="Keep one checkpoint",
                    target="environment",
                    id=environment.id,
                    expected_version=environment.revision,
                    set={"checkpoints_total_limit": 1},
                ),
            ),
        )


def _presets(environment: EnvironmentRow, config: TrainingConfig, family: Family) -> Iterator[Suggestion]:
    """Those that change something."""
    effective = config.model_dump()
    for preset in memory_presets(family):
        changes = {key: value for key, value in preset.changes.items() if effective[key] != value}
        if changes:
            yield Suggestion(
                label=f"Memory preset {preset.name}",
                target="environment",
                id=environment.id,
                expected_version=environment.revision,
                set=changes,
            )


def _is_known(config: TrainingConfig, family: Family) -> bool:
    denoiser = denoiser_of(family.key, config.model_flavour or family.default_flavour)
    return denoiser is not None and is_of_family(
        config.pretrained_model_name_or_path, num_parameters=denoiser.parameters, denoiser=family.denoiser
    )
