"""What a run consists of, as it is shown: phases, checkpoints, validation images, metrics and log lines."""

from datetime import datetime

import strawberry

from service import telemetry
from service.graphql.scalars import encode_id
from service.media import run_file_url
from service.read_models.training_run import CheckpointRow, ImageRow, RunRow
from service.run_files import weights_in_checkpoint


@strawberry.type(description="A stretch of work before or between steps.")
class Phase:
    name: str = strawberry.field(description="For example load_model or encode_images.")
    started_at: datetime = strawberry.field(description="When it began.")
    ended_at: datetime | None = strawberry.field(description="When it was done; null while it goes on.")
    progress: int = strawberry.field(description="How much is done.")
    total: int | None = strawberry.field(description="Of how much; null when that is not known.")


@strawberry.type(description="Everything needed to resume at a step.")
class Checkpoint:
    step: int = strawberry.field(description="Optimizer updates up to here.")
    path: str = strawberry.field(description="Its folder in the run's directory.")
    size_bytes: float = strawberry.field(description="Size on disk in bytes.")
    at: datetime = strawberry.field(description="When it was saved.")
    pinned: bool = strawberry.field(description="It is never removed to make room.")
    weights_url: str | None = strawberry.field(description="Where to download its weights.")

    @classmethod
    def of(cls, run: RunRow, row: CheckpointRow) -> "Checkpoint":
        url = run_file_url(run.id, f"{row.path}/{weights_in_checkpoint(run.config)}", version=row.position)
        return cls(
            step=row.step,
            path=row.path,
            size_bytes=float(row.size_bytes),
            at=row.at,
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
