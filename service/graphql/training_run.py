"""Runs as they are asked for and shown."""

import asyncio
from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry
from sqlalchemy.orm import Session
from strawberry.scalars import JSON

from domain.access import Resource, ResourceKind
from domain.application import AlongNew
from domain.errors import InvalidInput
from domain.training_run import RunState, StopMode
from service import telemetry
from service.cursors import RunCursor, decode_position, encode_run_cursor
from service.graphql.connections import Connection, check_first, connect
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.environment import Environment
from service.graphql.environment_versions import Change
from service.graphql.errors import UserError
from service.graphql.inputs import existing
from service.graphql.node import Node
from service.graphql.payloads import no_errors
from service.graphql.preflight import hidden_datasets
from service.graphql.rules import Does, Lists, Shows, environment_resource
from service.graphql.run_parts import Checkpoint, LogLine, MetricSeries, Phase, ValidationImage, WeightsFile
from service.graphql.scalars import Cursor, decode_id, encode_id
from service.graphql.user import User, load_person
from service.idempotency import run_once
from service.live.run_feed import read_run_cursor
from service.media import run_file_url
from service.preflight import findings, preflight
from service.read_models.environment import changes_after, find_default_environment, find_environment
from service.read_models.training_run import (
    RunRow,
    best_step_of,
    checkpoints_of,
    find_run,
    images_of,
    list_runs,
    num_runs_of,
    requests_of,
)
from service.run_files import final_weights, run_folder

MAX_POINTS = 100_000
MAX_LOG_LINES = 10_000

strawberry.enum(RunState, description="Where a run is on its way; failed and lost say why in endReason.")
strawberry.enum(StopMode, description="How to stop.")


@strawberry.type(description="One training, from request to end.")
class TrainingRun(Node):
    row: strawberry.Private[RunRow]
    bound: strawberry.Private[RunCursor | None] = None
    known_progress: strawberry.Private[telemetry.Progress | None] = None
    name: str = strawberry.field(description="Made from the environment's name and a number.")
    state: RunState = strawberry.field(description="Where it is on its way.")
    total_steps: int | None = strawberry.field(description="How many steps it will have made at its end, once known.")
    environment_version: int = strawberry.field(description="The version of the environment it was started from.")
    default_environment_version: int | None = strawberry.field(
        description="The version of the environment named default that had a part in its options; null when it had none."
    )
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="When its trainer was launched last.")
    ended_at: datetime | None = strawberry.field(description="When it ended; null while it has not.")
    end_reason: str | None = strawberry.field(description="Why it ended, where that needs saying.")
    resume_step: int | None = strawberry.field(description="The newest checkpoint that an ended run can go on from.")
    config: JSON = strawberry.field(description="The options it was started with, frozen.")

    @strawberry.field(description="Optimizer updates made so far, through all resumes.")
    async def step(self, info: Info) -> int:
        return (await self._progress(info)).step

    @strawberry.field(description="Passes over the data made so far.")
    async def epoch(self, info: Info) -> int:
        return (await self._progress(info)).epoch

    @strawberry.field(description="From 0 to 1.")
    async def progress(self, info: Info) -> float:
        step = (await self._progress(info)).step
        return min(1.0, step / self.row.total_steps) if self.row.total_steps else 0.0

    @strawberry.field(description="Seconds until its end at the present speed; null unless it is running.")
    async def eta_seconds(self, info: Info) -> float | None:
        progress = await self._progress(info)
        if self.row.state is not RunState.RUNNING or not progress.steps_per_second or not self.row.total_steps:
            return None
        return max(0.0, (self.row.total_steps - progress.step) / progress.steps_per_second)

    @strawberry.field(description="The present speed; null before the second step of a start and after the end.")
    async def steps_per_second(self, info: Info) -> float | None:
        return (await self._progress(info)).steps_per_second if self.row.state.is_alive else None

    @strawberry.field(description="Pictures seen in a second; null when nothing runs.")
    async def images_per_second(self, info: Info) -> float | None:
        return (await self._progress(info)).images_per_second if self.row.state.is_alive else None

    @strawberry.field(description="The loss of the newest step.")
    async def last_loss(self, info: Info) -> float | None:
        return (await self._progress(info)).last_loss

    @strawberry.field(
        description="What it was started from; null when that has been deleted.",
        extensions=[Shows(ResourceKind.ENVIRONMENT)],
    )
    async def environment(self, info: Info) -> Environment | None:
        row = await info.context.environments.load(self.row.environment_id)
        return Environment.of(row) if row else None

    @strawberry.field(
        description="What was changed in the environment since this run was started; null when it cannot be seen any more."
    )
    async def changes_since(self, info: Info) -> list[Change] | None:
        row = await info.context.environments.load(self.row.environment_id)
        if row is None or not signed_in(info).rights.may_see(environment_resource(row)):
            return None
        number = self.row.environment_revision
        changes = await read(info, lambda session: changes_after(session, row.id, number=number))
        return [Change.of(change) for change in changes]

    @strawberry.field(description="Who asked for it; null for the service itself.")
    async def started_by(self, info: Info) -> User | None:
        return await load_person(info, self.row.owner)

    @strawberry.field(description="Behind everything that this answer tells of the run: subscribe after it.")
    async def cursor(self, info: Info) -> Cursor:
        return Cursor(encode_run_cursor(await self._bound(info), store_id=info.context.parts.store_id))

    @strawberry.field(description="What the newest start has been doing, in order.")
    async def phases(self, info: Info) -> list[Phase]:
        phases = await read(info, lambda session: telemetry.phases_of(session, self.row.id))
        return [Phase(**{slot: getattr(phase, slot) for slot in telemetry.Phase.__slots__}) for phase in phases]

    @strawberry.field(description="Its checkpoints, oldest first.")
    async def checkpoints(self, info: Info) -> list[Checkpoint]:
        upto = (await self._bound(info)).event
        rows = await read(info, lambda session: checkpoints_of(session, self.row.id, after=0, upto=upto))
        return [Checkpoint.of(self.row, row) for row in rows]

    @strawberry.field(
        description="Step of the checkpoint that is never removed because it is the best: by its held-out loss, or else by "
        "its mean loss."
    )
    async def best_step(self, info: Info) -> int | None:
        return await read(info, lambda session: best_step_of(session, self.row.id))

    @strawberry.field(description="The final weights to download; none until they are saved.")
    async def weights(self, info: Info) -> list[WeightsFile]:
        path = self.row.weights_path
        if path is None:
            return []
        folder = run_folder(info.context.parts.settings.runs, self.row.id)
        found = await asyncio.to_thread(final_weights, folder, self.row.config, path)
        version = self.row.changed_position
        return [WeightsFile.of(self.row, each, when="", version=version) for each in found]

    @strawberry.field(description="How it was told to stop; null unless it is stopping.")
    async def stop_mode(self, info: Info) -> StopMode | None:
        if self.row.state is not RunState.STOPPING:
            return None
        stops = [
            row for row in await read(info, lambda session: requests_of(session, self.row.id)) if row.kind == "stop"
        ]
        return StopMode.SAVE_AND_STOP if all(row.is_saving for row in stops) else StopMode.STOP_NOW

    @strawberry.field(description="All its validation images, oldest first.")
    async def validation_images(self, info: Info) -> list[ValidationImage]:
        upto = (await self._bound(info)).event
        rows = await read(info, lambda session: images_of(session, self.row.id, after=0, upto=upto))
        return [ValidationImage.of(row) for row in rows]

    @strawberry.field(description="Its measurements, thinned out to maxPoints each with true minima and maxima.")
    async def metrics(self, info: Info, max_points: int, names: list[str] | None = None) -> list[MetricSeries]:
        if not 4 <= max_points <= MAX_POINTS:
            raise InvalidInput(f"maxPoints is {max_points} but must be from 4 to {MAX_POINTS}", path=("maxPoints",))
        upto = (await self._bound(info)).chunk

        def load(session: Session) -> list[MetricSeries]:
            found = telemetry.series_of(session, self.row.id, names=names, upto=upto)
            return [MetricSeries.of(series, max_points=max_points) for series in found]

        return await read(info, load)

    @strawberry.field(description="The newest lines of what it said, oldest first.")
    async def log(self, info: Info, last: int) -> list[LogLine]:
        if not 0 <= last <= MAX_LOG_LINES:
            raise InvalidInput(f"last is {last} but must be from 0 to {MAX_LOG_LINES}", path=("last",))
        upto = (await self._bound(info)).line
        lines = await read(info, lambda session: telemetry.log_of(session, self.row.id, last=last, upto=upto))
        return [LogLine.of(line) for line in lines]

    @property
    def resource(self) -> Resource:
        return Resource(ResourceKind.RUN, self.row.name, self.row.owner)

    @strawberry.field(description="The final weights; null until they are saved.")
    def weights_url(self) -> str | None:
        if self.row.weights_path is None:
            return None
        return run_file_url(self.row.id, self.row.weights_path, version=self.row.changed_position)

    async def _progress(self, info: Info) -> telemetry.Progress:
        return self.known_progress or await info.context.progress.load(self.row.id)

    async def _bound(self, info: Info) -> RunCursor:
        if self.bound is None:
            self.bound = await read(info, lambda session: read_run_cursor(session, self.row))
        return self.bound

    @classmethod
    def of(
        cls, row: RunRow, *, progress: telemetry.Progress | None = None, bound: RunCursor | None = None
    ) -> "TrainingRun":
        """progress and bound: what was read in the same state of the database; else they are read when asked for."""
        return cls(
            row=row,
            bound=bound,
            known_progress=progress,
            id=encode_id("TrainingRun", row.id),
            name=row.name,
            state=row.state,
            total_steps=row.total_steps,
            environment_version=row.environment_revision,
            default_environment_version=row.default_environment_revision,
            requested_at=row.requested_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            resume_step=row.resume_step,
            config=cast(JSON, row.config),
        )


@strawberry.type(description="A run, or why not.")
class RunPayload:
    run: TrainingRun | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="Which runs to list.")
class RunFilter:
    environment_id: strawberry.ID | None = strawberry.field(default=None, description="Of this environment.")
    states: list[RunState] | None = strawberry.field(default=None, description="In one of these states.")


@strawberry.input(description="What to train.")
class StartTrainingInput:
    environment_id: strawberry.ID = strawberry.field(description="Its newest version is frozen into the run.")
    expected_version: int | None = strawberry.field(default=None, description="Refuse when it is not the newest.")
    devices: list[int] | None = strawberry.field(default=None, description="GPUs by index; null: as many as it needs.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key starts one run.")


@strawberry.input(description="Which run to stop, and how.")
class StopTrainingInput:
    run_id: strawberry.ID = strawberry.field(description="Which one.")
    mode: StopMode = strawberry.field(description="Save a checkpoint first, or not.")


@strawberry.input(description="Which run to go on with.")
class ResumeTrainingInput:
    run_id: strawberry.ID = strawberry.field(
        description="One that has ended early, or a finished one that shall make more steps."
    )
    from_step: int | None = strawberry.field(
        default=None, description="Of the checkpoint to go on from; null: the newest. Later ones are set aside."
    )
    learning_rate: float | None = strawberry.field(default=None, description="Another one from now on.")
    max_train_steps: int | None = strawberry.field(default=None, description="Another length from now on.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key resumes once.")


@strawberry.input(description="Which run shall save a checkpoint.")
class RequestCheckpointInput:
    run_id: strawberry.ID = strawberry.field(description="One that is running.")


@strawberry.input(description="Which checkpoint to keep.")
class PinCheckpointInput:
    run_id: strawberry.ID = strawberry.field(description="Of this run, whether it runs or not.")
    step: int = strawberry.field(description="The checkpoint of this step.")
    pinned: bool = strawberry.field(description="Never remove it to make room; false: not any more.")


@strawberry.input(description="Which run shall make validation images.")
class RequestValidationInput:
    run_id: strawberry.ID = strawberry.field(description="One that is running.")


async def load_run(info: Info, given: strawberry.ID) -> TrainingRun | None:
    """The run with its numbers and its cursor, read in one state of the database."""
    run_id = decode_id("TrainingRun", given)

    def load(session: Session) -> TrainingRun | None:
        row = find_run(session, run_id)
        if row is None:
            return None
        progress = telemetry.read_progress(session, run_id)
        return TrainingRun.of(row, progress=progress, bound=read_run_cursor(session, row))

    return await read(info, load)


@strawberry.type
class RunQuery:
    @strawberry.field(description="Runs, newest first.", extensions=[Lists(ResourceKind.RUN)])
    async def training_runs(
        self, info: Info, first: int, after: Cursor | None = None, filter: RunFilter | None = None
    ) -> Connection[TrainingRun]:
        rights = signed_in(info).rights
        size, position = check_first(first), decode_position(after)
        environment_id = None
        if filter and filter.environment_id is not None:
            environment_id = decode_id("Environment", filter.environment_id, path="environmentId")
        states = filter.states if filter else None
        page = await read(
            info,
            lambda session: list_runs(
                session, rights, first=size, after=position, environment_id=environment_id, states=states
            ),
        )
        return connect(page, TrainingRun.of)

    @strawberry.field(
        description="One run; null when there is none with that id.", extensions=[Shows(ResourceKind.RUN)]
    )
    async def training_run(self, info: Info, id: strawberry.ID) -> TrainingRun | None:
        return await load_run(info, id)


@strawberry.type
class RunMutation:
    @strawberry.mutation(
        description="Ask for a run of an environment; it starts when there is room.",
        extensions=[Does("job.submit", ResourceKind.ENVIRONMENT, argument="input.environment_id")],
    )
    async def start_training(self, info: Info, input: StartTrainingInput) -> RunPayload:
        viewer = signed_in(info)
        parts = info.context.parts

        def request(environment_id: UUID, along: AlongNew | None) -> UUID:
            with parts.database.reading() as session:
                environment = existing(find_environment(session, environment_id), "environment", path="environmentId")
                number = num_runs_of(session, environment_id) + 1
                default = find_default_environment(session)
                hidden = hidden_datasets(session, environment, viewer.rights)
            found = preflight.look(parts, environment, devices=input.devices or (), user_id=viewer.user.id)
            findings.raise_errors(findings.withhold(each, hidden=hidden) for each in found.findings)
            return parts.application.request_run(
                viewer.actor,
                environment_id=environment_id,
                name=f"{environment.name}-{number}",
                expected_revision=input.expected_version,
                default_environment_id=default.id if default else None,
                devices=input.devices or (),
                along=along,
            )

        def work() -> RunPayload:
            environment_id = decode_id("Environment", input.environment_id, path="environmentId")
            run_id = run_once(
                parts.database,
                key=input.idempotency_key,
                user_id=viewer.user.id,
                operation="startTraining",
                given={"environment": environment_id, "version": input.expected_version, "devices": input.devices},
                work=lambda along: request(environment_id, along),
            )
            return _payload(info, run_id)

        return await answer(RunPayload, work)

    @strawberry.mutation(
        description="Stop a run, with a checkpoint or without; one that waits is withdrawn.",
        extensions=[Does("job.cancel", ResourceKind.RUN, argument="input.run_id")],
    )
    async def stop_training(self, info: Info, input: StopTrainingInput) -> RunPayload:
        viewer = signed_in(info)

        def work() -> RunPayload:
            run = _existing(info, input.run_id)
            info.context.parts.application.stop_run(viewer.actor, run.id, mode=input.mode)
            return _payload(info, run.id)

        return await answer(RunPayload, work)

    @strawberry.mutation(
        description="Go on with a run from a checkpoint, as it was or with another learning rate or length.",
        extensions=[
            Does("job.cancel", ResourceKind.RUN, argument="input.run_id"),
            Does("job.submit", ResourceKind.RUN, argument="input.run_id"),
        ],
    )
    async def resume_training(self, info: Info, input: ResumeTrainingInput) -> RunPayload:
        viewer = signed_in(info)
        parts = info.context.parts
        wanted = {"learning_rate": input.learning_rate, "max_train_steps": input.max_train_steps}
        changes = {key: value for key, value in wanted.items() if value is not None}

        def work() -> RunPayload:
            run = _existing(info, input.run_id)

            def resume(along: AlongNew | None) -> UUID:
                parts.application.resume_run(
                    viewer.actor,
                    run.id,
                    changes=changes,
                    from_step=input.from_step,
                    along=(lambda transaction: along(transaction, run.id)) if along else None,
                )
                return run.id

            run_once(
                parts.database,
                key=input.idempotency_key,
                user_id=viewer.user.id,
                operation="resumeTraining",
                given={"run": run.id, "changes": changes, "from_step": input.from_step},
                work=resume,
            )
            return _payload(info, run.id)

        return await answer(RunPayload, work)

    @strawberry.mutation(
        description="Let a running run save a checkpoint after its current step.",
        extensions=[Does("job.cancel", ResourceKind.RUN, argument="input.run_id")],
    )
    async def request_checkpoint(self, info: Info, input: RequestCheckpointInput) -> RunPayload:
        viewer = signed_in(info)

        def work() -> RunPayload:
            run = _existing(info, input.run_id)
            info.context.parts.application.request_checkpoint(viewer.actor, run.id)
            return _payload(info, run.id)

        return await answer(RunPayload, work)

    @strawberry.mutation(
        description="Keep a checkpoint from being removed to make room, or not any more.",
        extensions=[Does("job.cancel", ResourceKind.RUN, argument="input.run_id")],
    )
    async def pin_checkpoint(self, info: Info, input: PinCheckpointInput) -> RunPayload:
        viewer = signed_in(info)

        def work() -> RunPayload:
            run = _existing(info, input.run_id)
            info.context.parts.application.pin_checkpoint(viewer.actor, run.id, step=input.step, pinned=input.pinned)
            return _payload(info, run.id)

        return await answer(RunPayload, work)

    @strawberry.mutation(
        description="Let a running run make validation images after its current step.",
        extensions=[Does("job.cancel", ResourceKind.RUN, argument="input.run_id")],
    )
    async def request_validation(self, info: Info, input: RequestValidationInput) -> RunPayload:
        viewer = signed_in(info)

        def work() -> RunPayload:
            run = _existing(info, input.run_id)
            info.context.parts.application.request_validation(viewer.actor, run.id)
            return _payload(info, run.id)

        return await answer(RunPayload, work)


def _existing(info: Info, given: strawberry.ID) -> RunRow:
    """Raises NotFound."""
    run_id = decode_id("TrainingRun", given, path="runId")
    with info.context.parts.database.reading() as session:
        return existing(find_run(session, run_id), "run", path="runId")


def _payload(info: Info, run_id: UUID) -> RunPayload:
    with info.context.parts.database.reading() as session:
        row = find_run(session, run_id)
    return RunPayload(run=TrainingRun.of(row) if row else None)
