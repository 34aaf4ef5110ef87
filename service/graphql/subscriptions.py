"""Live: everything after a cursor in order, then what happens, in batches."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import strawberry
from sqlalchemy.orm import Session

from domain.access import ResourceKind, Rights
from domain.errors import InvalidInput
from service import telemetry
from service.cursors import RunCursor, decode_run_cursor, encode_run_cursor
from service.graphql.context import Info, read, signed_in
from service.graphql.inputs import existing
from service.graphql.rules import Does, Lists
from service.graphql.run_parts import Checkpoint, LogLine, ValidationImage
from service.graphql.scalars import Cursor, decode_id
from service.graphql.training_run import TrainingRun
from service.live.run_feed import RunNews, read_run_cursor, read_run_news
from service.read_models.training_run import RunRow, find_run, newest_runs, runs_changed_since

LIST_INTERVAL_SECONDS = 0.5
"""How often a run in a list is told to have moved at the most."""

NUM_RECENT = 5


@strawberry.type(description="Points that were added to a metric.")
class MetricDelta:
    name: str = strawberry.field(description="For example loss.")
    steps: list[int] = strawberry.field(description="Where they were measured, rising.")
    values: list[float | None] = strawberry.field(description="As many as steps; null for what is no finite number.")


@strawberry.type(description="What came after a cursor.")
class RunUpdate:
    cursor: Cursor = strawberry.field(description="Behind this update; subscribe after it to go on.")
    run: TrainingRun = strawberry.field(description="The run as it is now.")
    rewound_to_step: int | None = strawberry.field(
        description="The run was resumed from this step: points beyond it are void and are replaced by what follows."
    )
    metrics: list[MetricDelta] = strawberry.field(description="New points.")
    validation_images: list[ValidationImage] = strawberry.field(description="New pictures.")
    checkpoints: list[Checkpoint] = strawberry.field(
        description="New checkpoints, and those that were pinned or unpinned."
    )
    removed_checkpoints: list[int] = strawberry.field(description="Steps of checkpoints that are gone.")
    log: list[LogLine] = strawberry.field(description="New lines.")
    skipped_points: int = strawberry.field(
        description="Points left out because the client reads too slowly; they can be had from metrics."
    )

    @classmethod
    def of(cls, news: RunNews, *, store_id: UUID) -> "RunUpdate":
        return cls(
            cursor=Cursor(encode_run_cursor(news.cursor, store_id=store_id)),
            run=TrainingRun.of(news.run, progress=news.progress, bound=news.cursor),
            rewound_to_step=news.rewound_to_step,
            metrics=[
                MetricDelta(name=series.name, steps=list(series.steps), values=telemetry.with_nulls(series))
                for series in news.points
            ],
            validation_images=[ValidationImage.of(row) for row in news.images],
            checkpoints=[Checkpoint.of(news.run, row) for row in news.checkpoints],
            removed_checkpoints=news.removed_checkpoints,
            log=[LogLine.of(line) for line in news.lines],
            skipped_points=0,
        )


@strawberry.type
class RunSubscription:
    @strawberry.subscription(
        description="A run from a cursor on: first what came after it, then what happens.",
        extensions=[Does("job.view", ResourceKind.RUN, argument="run_id")],
    )
    async def run_updates(
        self, info: Info, run_id: strawberry.ID, after: Cursor | None = None
    ) -> AsyncGenerator[RunUpdate, None]:
        parts = info.context.parts
        key, cursor = await _begin(info, run_id, after)
        seen: object = None
        while True:
            mark = parts.bell.mark()
            news = existing(
                await read(info, lambda session, at=cursor: read_run_news(session, key, at)),  # type: ignore[misc]
                "run",
                path="runId",
            )
            if news.version != seen:
                seen, cursor = news.version, news.cursor
                yield RunUpdate.of(news, store_id=parts.store_id)
            if news.is_all:
                await mark.wait()

    @strawberry.subscription(description="Each run whenever it has changed.", extensions=[Lists(ResourceKind.RUN)])
    async def runs_changed(self, info: Info) -> AsyncGenerator[TrainingRun, None]:
        parts = info.context.parts
        rights = signed_in(info).rights
        recent = await read(info, lambda session: newest_runs(session, rights, limit=NUM_RECENT))
        position = max((run.changed_position for run in recent), default=0)
        seen: dict[UUID, tuple[int, int]] = {}
        while True:
            rights = signed_in(info).rights
            mark = parts.bell.mark()
            for run, progress in await read(info, lambda session, by=rights, at=position: _changed(session, by, at)):  # type: ignore[misc]
                position = max(position, run.changed_position)
                version = (run.changed_position, progress.journal_offset)
                if seen.get(run.id) != version:
                    seen[run.id] = version
                    yield TrainingRun.of(run, progress=progress)
            await mark.wait()
            await asyncio.sleep(LIST_INTERVAL_SECONDS)


async def _begin(info: Info, run_id: strawberry.ID, after: Cursor | None) -> tuple[UUID, RunCursor]:
    """The run and the position to go on from. Raises NotFound, InvalidInput."""
    key = decode_id("TrainingRun", run_id, path="runId")
    cursor = decode_run_cursor(after, store_id=info.context.parts.store_id) if after is not None else RunCursor()

    def load(session: Session) -> tuple[RunRow | None, RunCursor]:
        row = find_run(session, key)
        return row, read_run_cursor(session, row) if row else cursor

    row, newest = await read(info, load)
    existing(row, "run", path="runId")
    if cursor.event > newest.event or cursor.chunk > newest.chunk or cursor.line > newest.line:
        raise InvalidInput("that cursor lies in the future, so it is not from here; begin without one", path=("after",))
    return key, cursor


def _changed(session: Session, rights: Rights, position: int) -> list[tuple[RunRow, telemetry.Progress]]:
    runs = runs_changed_since(session, rights, position)
    return list(zip(runs, telemetry.read_progresses(session, [run.id for run in runs]), strict=True))
