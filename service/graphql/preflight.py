"""What would happen if a run of an environment started now."""

import asyncio
from enum import Enum
from typing import Any, cast

import strawberry
from sqlalchemy.orm import Session
from strawberry.scalars import JSON

from domain.access import ResourceKind, Rights
from domain.config import memory
from service.graphql.context import Info, signed_in
from service.graphql.dataset import Dataset
from service.graphql.inputs import existing
from service.graphql.rules import Does
from service.graphql.scalars import decode_id, encode_id
from service.preflight import findings, needs, preflight
from service.preflight.weights import Download
from service.read_models.dataset import find_datasets
from service.read_models.environment import EnvironmentRow, find_environment


@strawberry.enum(description="How much a problem matters.")
class ProblemSeverity(Enum):
    ERROR = strawberry.enum_value("error", description="A run cannot start.")
    WARNING = strawberry.enum_value("warning", description="It can, but somebody should look.")
    INFO = strawberry.enum_value("info", description="Good to know.")


@strawberry.type(description="Something to know before a start.")
class PreflightProblem:
    severity: ProblemSeverity = strawberry.field(description="Whether it keeps a run from starting.")
    code: str = strawberry.field(description="What kind of problem it is, for programs.")
    message: str = strawberry.field(description="What is wrong and what to do, for people.")
    path: list[str] = strawberry.field(description="The option it is about, outermost first.")
    suggestions: list[JSON] = strawberry.field(
        description="Ways out, each with label, target (environment or dataset), and id, expectedVersion, set and unset as "
        "updateEnvironment or updateDataset take them."
    )

    @strawberry.field(description="The first of the suggestions; null where there is none.")
    def suggestion(self) -> JSON | None:
        return self.suggestions[0] if self.suggestions else None

    @classmethod
    def of(cls, finding: findings.Finding) -> "PreflightProblem":
        return cls(
            severity=ProblemSeverity(finding.severity.value),
            code=finding.code,
            message=finding.message,
            path=list(finding.path),
            suggestions=[cast(JSON, _suggestion(each)) for each in finding.suggestions],
        )


@strawberry.type(description="The memory of one phase of a run, on one device.")
class PhaseMemory:
    phase: str = strawberry.field(description="text_encoding, latent_caching, training or validation.")
    bytes: float = strawberry.field(description="At its peak.")
    unknown: list[str] = strawberry.field(description="What is not in the sum, because nobody knows it.")

    @classmethod
    def of(cls, phase: memory.PhaseMemory) -> "PhaseMemory":
        return cls(phase=phase.phase, bytes=float(phase.bytes), unknown=list(phase.unknown))


@strawberry.type(description="How much memory a run needs, on one device.")
class PreflightMemory:
    estimated_bytes: float = strawberry.field(
        description="Of the phase that needs most; at least, where some is unknown."
    )
    per_phase: list[PhaseMemory] = strawberry.field(description="In their order.")
    available_bytes: float | None = strawberry.field(
        description="Of the smallest GPU, or of the machine where there is none; null when nobody knows."
    )
    fits: bool | None = strawberry.field(description="Null when nobody knows.")

    @classmethod
    def of(cls, estimate: memory.MemoryEstimate, available_bytes: int | None) -> "PreflightMemory":
        return cls(
            estimated_bytes=float(estimate.at_least_bytes),
            per_phase=[PhaseMemory.of(phase) for phase in estimate.phases],
            available_bytes=None if available_bytes is None else float(available_bytes),
            fits=None if available_bytes is None else estimate.at_least_bytes <= available_bytes,
        )


@strawberry.type(description="Pictures of a dataset that are trained on in one size, or clips of one size and length.")
class PreflightBucket:
    dataset: str = strawberry.field(description="Its name; empty for one that the viewer may not see.")
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    aspect: float = strawberry.field(description="Width divided by height.")
    num_frames: int = strawberry.field(description="Of a clip; 1 for pictures.")
    num_images: int = strawberry.field(description="Pictures in it.")
    scheduled: int = strawberry.field(description="Pictures shown in an epoch; 0 when it is not trained on.")
    smallest_repeats: int = strawberry.field(
        description="Repeats of the dataset with which it fills an effective batch."
    )
    usable: bool = strawberry.field(description="It fills an effective batch.")


@strawberry.type(description="Room on the disk for checkpoints and caches.")
class PreflightDisk:
    needed_bytes: float = strawberry.field(
        description="Of all checkpoints that are kept, of the caches, of validation images, and of weights that are downloaded "
        "to the same disk."
    )
    free_bytes: float | None = strawberry.field(description="Null when nobody knows.")

    @classmethod
    def of(cls, disk: needs.Disk) -> "PreflightDisk":
        return cls(
            needed_bytes=float(disk.needed_bytes),
            free_bytes=None if disk.free_bytes is None else float(disk.free_bytes),
        )


@strawberry.type(description="Weights that are not on this machine, which a run begins with downloading.")
class PreflightDownload:
    repository: str = strawberry.field(description="On the Hugging Face Hub.")
    estimated_bytes: float | None = strawberry.field(
        description="From the number of weights and the precision they are published in; null when nobody knows."
    )
    free_bytes: float | None = strawberry.field(description="Where they would be kept; null when nobody knows.")
    fits: bool | None = strawberry.field(description="Null when nobody knows.")

    @classmethod
    def of(cls, download: Download) -> "PreflightDownload":
        return cls(
            repository=download.repository,
            estimated_bytes=None if download.bytes is None else float(download.bytes),
            free_bytes=None if download.free_bytes is None else float(download.free_bytes),
            fits=download.fits,
        )


@strawberry.type(description="What would happen if a run started now.")
class Preflight:
    ok: bool = strawberry.field(description="Nothing keeps a run from starting.")
    total_steps: int | None = strawberry.field(description="Updates of the whole run; null when it cannot be said.")
    steps_per_epoch: int | None = strawberry.field(description="Updates of one pass over the data.")
    epochs: int | None = strawberry.field(description="Passes over the data, the last one perhaps not whole.")
    effective_batch_size: int | None = strawberry.field(
        description="train_batch_size × num_processes × gradient_accumulation_steps."
    )
    num_images: int = strawberry.field(description="Pictures that are trained on, without repeats.")
    is_estimate: bool = strawberry.field(
        description="Not all pictures were looked at yet, so their numbers follow from the others; ask again."
    )
    num_trainable_parameters: float | None = strawberry.field(
        description="Numbers that are trained in an adapter, counted from weights on this machine; null when they do not tell."
    )
    num_validation_images: int | None = strawberry.field(
        description="Made in the whole run, if nobody asks for more; null while its steps are not known."
    )
    memory: PreflightMemory | None = strawberry.field(description="Null where the size of the weights is not known.")
    disk: PreflightDisk | None = strawberry.field(description="Null where the size of the weights is not known.")
    download: PreflightDownload | None = strawberry.field(description="Null where all weights are on this machine.")
    buckets: list[PreflightBucket] = strawberry.field(description="By dataset and size.")
    problems: list[PreflightProblem] = strawberry.field(description="Everything there is to say.")

    @classmethod
    def of(cls, found: preflight.Preflight, *, hidden: frozenset[str]) -> "Preflight":
        """hidden: names of datasets that the viewer may not see."""
        return cls(
            ok=found.is_ok,
            total_steps=found.total_steps,
            steps_per_epoch=found.steps_per_epoch,
            epochs=found.epochs,
            effective_batch_size=found.effective_batch_size,
            num_images=found.num_images,
            is_estimate=found.is_estimate,
            num_trainable_parameters=None if found.num_trained is None else float(found.num_trained),
            num_validation_images=found.num_validation_images,
            memory=PreflightMemory.of(found.memory, found.available_bytes) if found.memory else None,
            disk=PreflightDisk.of(found.disk) if found.disk else None,
            download=PreflightDownload.of(found.download) if found.download else None,
            buckets=_buckets(found, hidden),
            problems=[PreflightProblem.of(findings.withhold(each, hidden=hidden)) for each in found.findings],
        )


def hidden_datasets(session: Session, environment: EnvironmentRow, rights: Rights) -> frozenset[str]:
    """Names of those of its datasets that somebody may not see."""
    rows = find_datasets(session, environment.dataset_ids)
    return frozenset(row.name for row in rows if not rights.may_see(Dataset.of(row).resource))


def _buckets(found: preflight.Preflight, hidden: frozenset[str]) -> list[PreflightBucket]:
    planned = found.plan.buckets if found.plan else ()
    return [
        PreflightBucket(
            dataset="" if bucket.count.dataset in hidden else bucket.count.dataset,
            width=shape.size.width,
            height=shape.size.height,
            aspect=round(shape.size.width / shape.size.height, 3),
            num_frames=shape.num_frames,
            num_images=bucket.count.num_images,
            scheduled=bucket.scheduled,
            smallest_repeats=bucket.smallest_repeats,
            usable=bucket.is_usable,
        )
        for bucket, shape in zip(planned, found.shapes, strict=True)
    ]


def _suggestion(suggestion: findings.Suggestion) -> dict[str, Any]:
    kind = "Environment" if suggestion.target == "environment" else "Dataset"
    return {
        "label": suggestion.label,
        "target": suggestion.target,
        "id": encode_id(kind, suggestion.id),
        "expectedVersion": suggestion.expected_version,
        "set": dict(suggestion.set),
        "unset": list(suggestion.unset),
    }


@strawberry.type
class PreflightQuery:
    @strawberry.field(
        description="What would happen if a run of an environment started now, on these GPUs or on any. Errors among the "
        "problems are what startTraining refuses.",
        extensions=[Does("config.view", ResourceKind.ENVIRONMENT, argument="environment_id")],
    )
    async def preflight(self, info: Info, environment_id: strawberry.ID, devices: list[int] | None = None) -> Preflight:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> Preflight:
            key = decode_id("Environment", environment_id, path="environmentId")
            with parts.database.reading() as session:
                environment = existing(find_environment(session, key), "environment", path="environmentId")
                hidden = hidden_datasets(session, environment, viewer.rights)
            found = preflight.look(parts, environment, devices=devices or (), user_id=viewer.user.id)
            return Preflight.of(found, hidden=hidden)

        return await asyncio.to_thread(work)
