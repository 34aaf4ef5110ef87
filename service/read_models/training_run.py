"""Runs as they are listed, with their checkpoints, validation images and what was asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from domain.access import ResourceKind, Rights
from domain.aggregate import Noun
from domain.training_run import RunState, StopMode, TrainingRun
from service.access.visibility import visible
from service.database import metadata
from service.read_models.columns import Big, Json, Moment
from service.read_models.pages import Page, read_page

training_runs = Table(
    "training_runs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("environment_id", Uuid, nullable=False, index=True),
    Column("environment_revision", Integer, nullable=False),
    Column("default_environment_revision", Integer),
    Column("config", Json, nullable=False),
    Column("datasets", Json, nullable=False),
    Column("devices", Json, nullable=False),
    Column("owner", Uuid),
    Column("state", Text, nullable=False, index=True),
    Column("total_steps", Integer),
    Column("num_resumes", Integer, nullable=False),
    Column("rewound_to_step", Integer),
    Column("rewound_position", Big),
    Column("requested_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("end_reason", Text),
    Column("resume_step", Integer),
    Column("weights_path", Text),
    Column("position", Big, nullable=False, unique=True),
    Column("changed_position", Big, nullable=False),
)

run_checkpoints = Table(
    "run_checkpoints",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("run_id", Uuid, nullable=False),
    Column("step", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", Big, nullable=False),
    Column("mean_loss", Float),
    Column("eval_loss", Float),
    Column("is_rolling", Boolean, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("is_removed", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
    Column("changed_position", Big, nullable=False),
    Index("run_checkpoints_step", "run_id", "step", unique=True),
)

run_images = Table(
    "run_images",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("run_id", Uuid, nullable=False),
    Column("step", Integer, nullable=False),
    Column("index", Integer, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("seed", Big, nullable=False),
    Column("path", Text, nullable=False),
    Column("thumbnail_path", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("num_frames", Integer, nullable=False),
    Column("duration_seconds", Float),
    Column("size_bytes", Big),
    Column("at", Moment, nullable=False),
    Index("run_images_step", "run_id", "step", "index", unique=True),
)

run_requests = Table(
    "run_requests",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("run_id", Uuid, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("is_saving", Boolean, nullable=False),
    Column("at", Moment, nullable=False),
)
"""What was asked of the running trainer since it was started, in order; each is one line of its requests file."""

TABLES = (training_runs, run_checkpoints, run_images, run_requests)

ALIVE = tuple(state.value for state in RunState if state.is_alive)
ACTIVE = tuple(state.value for state in RunState if not state.has_ended)


@dataclass(frozen=True, slots=True)
class RunRow:
    """rewound_to_step: where the newest start went on, if it was a resume; what came after is trained again.

    rewound_position: of the event that said so. changed_position: of the newest event of the run.
    """

    id: UUID
    name: str
    environment_id: UUID
    environment_revision: int
    default_environment_revision: int | None
    config: dict[str, Any]
    datasets: list[dict[str, Any]]
    devices: list[int]
    owner: UUID | None
    state: RunState
    total_steps: int | None
    num_resumes: int
    rewound_to_step: int | None
    rewound_position: int | None
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    resume_step: int | None
    weights_path: str | None
    position: int
    changed_position: int


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """mean_loss: of training since the checkpoint before. eval_loss: the held-out loss, where it was measured."""

    position: int
    step: int
    path: str
    size_bytes: int
    mean_loss: float | None
    eval_loss: float | None
    is_rolling: bool
    pinned: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class ImageRow:
    position: int
    run_id: UUID
    step: int
    index: int
    prompt: str
    seed: int
    path: str
    thumbnail_path: str
    width: int
    height: int
    num_frames: int
    duration_seconds: float | None
    size_bytes: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestRow:
    kind: str
    is_saving: bool
    at: datetime


def project(session: Session, event: Noun.Event, position: int) -> None:
    if not isinstance(event, TrainingRun.Event):
        return
    if isinstance(event, TrainingRun.Requested):
        _insert(session, event, position)
    else:
        values = _changed_values(event, position)
        session.execute(
            update(training_runs)
            .where(training_runs.c.id == event.originator_id)
            .values(changed_position=position, **values)
        )
    _project_parts(session, event, position)


def _insert(session: Session, event: TrainingRun.Requested, position: int) -> None:
    session.execute(
        insert(training_runs).values(
            id=event.originator_id,
            name=event.name,
            name_key=event.name.casefold(),
            environment_id=event.environment_id,
            environment_revision=event.environment_revision,
            default_environment_revision=event.default_environment_revision,
            config=event.config,
            datasets=event.datasets,
            devices=event.devices,
            owner=event.by,
            state=RunState.REQUESTED.value,
            num_resumes=0,
            requested_at=event.timestamp,
            position=position,
            changed_position=position,
        )
    )


def _changed_values(event: TrainingRun.Event, position: int) -> dict[str, Any]:
    match event:
        case TrainingRun.Queued():
            return {"state": RunState.QUEUED.value}
        case TrainingRun.Starting():
            return {"state": RunState.STARTING.value, "started_at": event.timestamp}
        case TrainingRun.Started():
            is_starting = training_runs.c.state == RunState.STARTING.value
            return {"state": case((is_starting, RunState.RUNNING.value), else_=training_runs.c.state)}
        case TrainingRun.Planned():
            is_resumed = training_runs.c.num_resumes > 0
            return {
                "total_steps": event.total_steps,
                "rewound_to_step": case((is_resumed, event.resumed_from_step or 0), else_=None),
                "rewound_position": case((is_resumed, position), else_=None),
            }
        case TrainingRun.WeightsSaved():
            return {"weights_path": event.path}
        case TrainingRun.StopRequested():
            return {"state": RunState.STOPPING.value}
        case TrainingRun.Ended():
            return {
                "state": event.outcome,
                "ended_at": event.timestamp,
                "end_reason": event.reason,
                "resume_step": event.resume_step,
            }
        case TrainingRun.ResumeRequested() | TrainingRun.ResumeWithChangesRequested():
            return {
                "state": RunState.REQUESTED.value,
                "num_resumes": training_runs.c.num_resumes + 1,
                "ended_at": None,
                "end_reason": None,
                "resume_step": None,
            }
    return {}


def _project_parts(session: Session, event: TrainingRun.Event, position: int) -> None:
    run_id = event.originator_id
    match event:
        case TrainingRun.Starting():
            session.execute(delete(run_requests).where(run_requests.c.run_id == run_id))
        case TrainingRun.StopRequested():
            is_saving = event.mode == StopMode.SAVE_AND_STOP
            _insert_request(session, event, position, kind="stop", is_saving=is_saving)
        case TrainingRun.CheckpointRequested():
            _insert_request(session, event, position, kind="checkpoint")
        case TrainingRun.ValidationRequested():
            _insert_request(session, event, position, kind="validation")
        case TrainingRun.CheckpointSaved():
            session.execute(delete(run_checkpoints).where(*_checkpoint(run_id, event.step)))
            session.execute(
                insert(run_checkpoints).values(
                    position=position,
                    run_id=run_id,
                    step=event.step,
                    path=event.path,
                    size_bytes=event.size_bytes,
                    mean_loss=event.mean_loss,
                    eval_loss=event.eval_loss,
                    is_rolling=event.is_rolling,
                    pinned=False,
                    is_removed=False,
                    at=event.timestamp,
                    changed_position=position,
                )
            )
        case TrainingRun.CheckpointPinned() | TrainingRun.CheckpointUnpinned():
            is_pinned = isinstance(event, TrainingRun.CheckpointPinned)
            _change_checkpoint(session, event, position, pinned=is_pinned)
        case TrainingRun.ResumeWithChangesRequested():
            _change_config(session, run_id, event.options)
        case TrainingRun.CheckpointRemoved():
            _change_checkpoint(session, event, position, is_removed=True, pinned=False)
        case TrainingRun.ValidationImageSaved():
            _insert_image(session, event, position)


def _change_config(session: Session, run_id: UUID, changes: dict[str, Any]) -> None:
    config: dict[str, Any] = session.execute(
        select(training_runs.c.config).where(training_runs.c.id == run_id)
    ).scalar_one()
    session.execute(update(training_runs).where(training_runs.c.id == run_id).values(config={**config, **changes}))


def _insert_request(
    session: Session, event: TrainingRun.Event, position: int, *, kind: str, is_saving: bool = False
) -> None:
    session.execute(
        insert(run_requests).values(
            position=position, run_id=event.originator_id, kind=kind, is_saving=is_saving, at=event.timestamp
        )
    )


def _checkpoint(run_id: UUID, step: int) -> tuple[ColumnElement[bool], ...]:
    return (run_checkpoints.c.run_id == run_id, run_checkpoints.c.step == step)


def _change_checkpoint(
    session: Session,
    event: TrainingRun.CheckpointPinned | TrainingRun.CheckpointUnpinned | TrainingRun.CheckpointRemoved,
    position: int,
    **values: bool,
) -> None:
    session.execute(
        update(run_checkpoints)
        .where(*_checkpoint(event.originator_id, event.step))
        .values(changed_position=position, **values)
    )


def _insert_image(session: Session, event: TrainingRun.ValidationImageSaved, position: int) -> None:
    """A picture made again at the same step, after a resume, takes the place of the earlier one."""
    same = (
        run_images.c.run_id == event.originator_id,
        run_images.c.step == event.step,
        run_images.c.index == event.index,
    )
    session.execute(delete(run_images).where(*same))
    session.execute(
        insert(run_images).values(
            position=position,
            run_id=event.originator_id,
            step=event.step,
            index=event.index,
            prompt=event.prompt,
            seed=event.seed,
            path=event.path,
            thumbnail_path=event.thumbnail_path,
            width=event.width,
            height=event.height,
            num_frames=event.num_frames,
            duration_seconds=event.duration_seconds,
            size_bytes=event.size_bytes,
            at=event.timestamp,
        )
    )


def find_run(session: Session, run_id: UUID) -> RunRow | None:
    row = session.execute(select(training_runs).where(training_runs.c.id == run_id)).first()
    return None if row is None else _make(row)


def active_runs(session: Session) -> list[RunRow]:
    """All that have not ended, those waiting longest first."""
    rows = session.execute(
        select(training_runs).where(training_runs.c.state.in_(ACTIVE)).order_by(training_runs.c.changed_position)
    )
    return [_make(row) for row in rows]


def newest_runs(session: Session, rights: Rights, *, limit: int) -> list[RunRow]:
    """Those that changed last and may be seen, newest first."""
    seen = select(training_runs).where(*visible(rights, training_runs, ResourceKind.RUN))
    return [_make(row) for row in session.execute(seen.order_by(training_runs.c.changed_position.desc()).limit(limit))]


def num_runs_of(session: Session, environment_id: UUID) -> int:
    counted = select(func.count()).select_from(training_runs).where(training_runs.c.environment_id == environment_id)
    return session.scalar(counted) or 0


def runs_changed_since(session: Session, rights: Rights, position: int) -> list[RunRow]:
    """Runs of which something was recorded after a position, and those that are alive, whose numbers may have moved."""
    rows = session.execute(
        select(training_runs)
        .where(*visible(rights, training_runs, ResourceKind.RUN))
        .where(or_(training_runs.c.changed_position > position, training_runs.c.state.in_(ALIVE)))
        .order_by(training_runs.c.changed_position)
    )
    return [_make(row) for row in rows]


def list_runs(
    session: Session,
    rights: Rights,
    *,
    first: int,
    after: int | None,
    environment_id: UUID | None = None,
    states: Sequence[RunState] | None = None,
) -> Page[RunRow]:
    """Those that may be seen."""
    where = visible(rights, training_runs, ResourceKind.RUN)
    if environment_id is not None:
        where.append(training_runs.c.environment_id == environment_id)
    if states is not None:
        where.append(training_runs.c.state.in_([state.value for state in states]))
    return read_page(
        session, training_runs, order=training_runs.c.position, where=where, first=first, after=after, make=_make
    )


def checkpoints_of(session: Session, run_id: UUID, *, after: int, upto: int) -> list[CheckpointRow]:
    """Those that exist, saved, pinned or unpinned by the events behind `after`, up to `upto`."""
    rows = session.execute(
        select(run_checkpoints)
        .where(*_existing(run_id), run_checkpoints.c.changed_position.between(after + 1, upto))
        .order_by(run_checkpoints.c.position)
    )
    return [CheckpointRow(**{slot: row._mapping[slot] for slot in CheckpointRow.__slots__}) for row in rows]


def removed_steps_of(session: Session, run_id: UUID, *, after: int, upto: int) -> list[int]:
    """Of checkpoints that are gone since the events behind `after`, up to `upto`."""
    rows = session.scalars(
        select(run_checkpoints.c.step)
        .where(
            run_checkpoints.c.run_id == run_id,
            run_checkpoints.c.is_removed,
            run_checkpoints.c.changed_position.between(after + 1, upto),
        )
        .order_by(run_checkpoints.c.step)
    )
    return list(rows)


def best_step_of(session: Session, run_id: UUID) -> int | None:
    """Of the checkpoint that the trainer keeps as the best: by its held-out loss where one has any, else by its mean loss."""
    for loss in (run_checkpoints.c.eval_loss, run_checkpoints.c.mean_loss):
        found: int | None = session.scalar(
            select(run_checkpoints.c.step)
            .where(*_existing(run_id), loss.is_not(None))
            .order_by(loss, run_checkpoints.c.step)
            .limit(1)
        )
        if found is not None:
            return found
    return None


def pinned_steps_of(session: Session, run_id: UUID) -> dict[int, bool]:
    """Of each checkpoint, by step, whether it is pinned."""
    rows = session.execute(select(run_checkpoints.c.step, run_checkpoints.c.pinned).where(*_existing(run_id)))
    return {row.step: row.pinned for row in rows}


def images_of(session: Session, run_id: UUID, *, after: int, upto: int) -> list[ImageRow]:
    """Those saved by the events behind `after`, up to `upto`."""
    rows = session.execute(
        select(run_images)
        .where(run_images.c.run_id == run_id, run_images.c.position.between(after + 1, upto))
        .order_by(run_images.c.position)
    )
    return [ImageRow(**row._mapping) for row in rows]


def requests_of(session: Session, run_id: UUID) -> list[RequestRow]:
    """What has been asked of the trainer since it was started, in order."""
    rows = session.execute(
        select(run_requests).where(run_requests.c.run_id == run_id).order_by(run_requests.c.position)
    )
    return [RequestRow(kind=row.kind, is_saving=row.is_saving, at=row.at) for row in rows]


def _existing(run_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (run_checkpoints.c.run_id == run_id, run_checkpoints.c.is_removed.is_(False))


def _make(row: Row[Any]) -> RunRow:
    shown = {field: row._mapping[field] for field in RunRow.__slots__}
    return RunRow(**{**shown, "state": RunState(row.state)})
