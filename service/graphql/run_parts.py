"""What a run consists of, as it is shown: phases, checkpoints, validation images, metrics and log lines."""

import asyncio
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath

import strawberry

from service import run_files, telemetry
from service.graphql.context import Info
from service.graphql.scalars import encode_id
from service.media import run_file_url
from service.read_models.training_run import CheckpointRow, ImageRow, RunRow
from service.run_files import weights_in_checkpoint


@strawberry.type(description="A stretch of work before or between steps.")
class Phase:
    name: str = strawberry.field(description="For example download_model, load_model or encode_images.")
    started_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(description="When it was done; null while it goes on.")
    progress: float = strawberry.field(description="How much is done: bytes of download_model, a count of the others.")
    total: float | None = strawberry.field(description="Of how much; null when that is not known.")


@strawberry.enum(
    description="Weights as the last step left them, their running average, or a whole pipeline as a .tar."
)
class WeightsKind(StrEnum):
    LAST = "last"
    AVERAGE = "average"
    PIPELINE = "pipeline"


@strawberry.type(description="Trained weights to download.")
class WeightsFile:
    kind: WeightsKind = strawberry.field(description="Which ones.")
    name: str = strawberry.field(description="What to call the file, the same for no other.")
    size_bytes: float = strawberry.field(description="In bytes.")
    url: str = strawberry.field(description="Where it is; its content never changes.")

    @classmethod
    def of(cls, run: RunRow, found: run_files.WeightsFile, *, when: str, version: int) -> "WeightsFile":
        """when: of the run, as a part of the name."""
        kind = WeightsKind(found.kind)
        what = {WeightsKind.LAST: "", WeightsKind.AVERAGE: "-ema", WeightsKind.PIPELINE: "-pipeline"}[kind]
        return cls(
            kind=kind,
            name=f"{run.name}{when}{what}{PurePosixPath(found.path).suffix}",
            size_bytes=float(found.num_bytes),
            url=run_file_url(run.id, found.path, version=version),
        )


@strawberry.type(description="Everything needed to resume at a step.")
class Checkpoint:
    run: strawberry.Private[RunRow]
    position: strawberry.Private[int]
    step: int = strawberry.field(description="Optimizer updates up to here.")
    path: str = strawberry.field(description="Its folder in the run's directory.")
    size_bytes: float = strawberry.field(description="Size on disk in bytes.")
    at: datetime = strawberry.field(description="When it was saved.")
    mean_loss: float | None = strawberry.field(
        description="Of training since the checkpoint before; null for one of an earlier version."
    )
    eval_loss: float | None = strawberry.field(description="The held-out loss; null where none was measured for it.")
    is_rolling: bool = strawberry.field(description="A further one, which the next of its kind replaces.")
    pinned: bool = strawberry.field(description="It is never removed to make room.")
    weights_url: str | None = strawberry.field(description="Where to download its weights.")

    @strawberry.field(description="What there is to download of it.")
    async def weights(self, info: Info) -> list[WeightsFile]:
        folder = run_files.run_folder(info.context.parts.settings.runs, self.run.id)
        found = await asyncio.to_thread(run_files.checkpoint_weights, folder, self.run.config, self.path)
        when = f"-step-{self.step}"
        return [WeightsFile.of(self.run, each, when=when, version=self.position) for each in found]

    @classmethod
    def of(cls, run: RunRow, row: CheckpointRow) -> "Checkpoint":
        url = run_file_url(run.id, f"{row.path}/{weights_in_checkpoint(run.config)}", version=row.position)
        return cls(
            run=run,
            position=row.position,
            step=row.step,
            path=row.path,
            size_bytes=float(row.size_bytes),
            at=row.at,
            mean_loss=row.mean_loss,
            eval_loss=row.eval_loss,
            is_rolling=row.is_rolling,
            pinned=row.pinned,
            weights_url=url,
        )


@strawberry.type(description="A picture or video made at a step from a fixed prompt and seed.")
class ValidationImage:
    id: strawberry.ID = strawberry.field(description="Opaque id.")
    step: int = strawberry.field(description="Optimizer updates before it was made; 0 shows the base model.")
    index: int = strawberry.field(description="Its place among the pictures of a step, the same at every step.")
    prompt: str = strawberry.field(description="What it was asked to show.")
    seed: int = strawberry.field(description="What its noise was drawn from.")
    url: str = strawberry.field(description="The picture or video; its content never changes.")
    thumbnail_url: str = strawberry.field(description="A smaller picture; of a video, its first frame.")
    width: int = strawberry.field(description="In pixels.")
    height: int = strawberry.field(description="In pixels.")
    num_frames: int = strawberry.field(description="1 of a picture, more of a video.")
    duration_seconds: float | None = strawberry.field(description="How long a video is; null of a picture.")
    size_bytes: float | None = strawberry.field(description="Of the file; null where an earlier version made it.")
    at: datetime = strawberry.field(description="When it was made.")

    @classmethod
    def of(cls, row: ImageRow) -> "ValidationImage":
        return cls(
            id=encode_id("ValidationImage", f"{row.run_id.hex}-{row.step}-{row.index}"),
            step=row.step,
            index=row.index,
            prompt=row.prompt,
            seed=row.seed,
            url=run_file_url(row.run_id, row.path, version=row.position),
            thumbnail_url=run_file_url(row.run_id, row.thumbnail_path, version=row.position),
            width=row.width,
            height=row.height,
            num_frames=row.num_frames,
            duration_seconds=row.duration_seconds,
            size_bytes=None if row.size_bytes is None else float(row.size_bytes),
            at=row.at,
        )


@strawberry.type(description="The points of one metric.")
class MetricSeries:
    name: str = strawberry.field(description="For example loss or learning_rate.")
    num_points: int = strawberry.field(description="How many were measured.")
    points_returned: int = strawberry.field(description="How many are in this answer.")
    steps: list[int] = strawberry.field(description="Where they were measured, rising.")
    values: list[float | None] = strawberry.field(description="As many as steps; null for what is no finite number.")
    minimum: float | None = strawberry.field(description="Exact, of all points.")
    maximum: float | None = strawberry.field(description="Exact, of all points.")

    @classmethod
    def of(cls, series: telemetry.Points, *, max_points: int) -> "MetricSeries":
        sample = telemetry.downsample(series, max_points)
        finite = telemetry.finite_values(series)
        return cls(
            name=series.name,
            num_points=len(series.steps),
            points_returned=len(sample.steps),
            steps=list(sample.steps),
            values=telemetry.with_nulls(sample),
            minimum=min(finite, default=None),
            maximum=max(finite, default=None),
        )


@strawberry.type(description="Something a run said.")
class LogLine:
    at: datetime = strawberry.field(description="When.")
    level: str = strawberry.field(description="info, warning or error.")
    message: str = strawberry.field(description="What.")

    @classmethod
    def of(cls, line: telemetry.LogLine) -> "LogLine":
        return cls(at=line.at, level=line.level, message=line.message)
