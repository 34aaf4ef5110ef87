"""Measurements of runs: from lines of the journal to rows, and from rows to series, in the order they were written.

Rows are written together with the byte offset up to which the journal has been read, so that after any death of the
service each line counts exactly once. A row's id is its place in the log that subscriptions follow.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from service.database import metadata
from service.read_models.columns import Big, Moment
from trainer import wire

run_progress = Table(
    "run_progress",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("journal_offset", Big, nullable=False),
    Column("step", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("last_loss", Float),
    Column("steps_per_second", Float),
    Column("images_per_second", Float),
    Column("step_at", Float),
)

run_phases = Table(
    "run_phases",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("progress", Big, nullable=False),
    Column("total", Big),
)

metric_chunks = Table(
    "metric_chunks",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("run_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column("steps", LargeBinary, nullable=False),
    Column("values", LargeBinary, nullable=False),
    Index("metric_chunks_run", "run_id", "name", "id"),
    sqlite_autoincrement=True,
)

run_log = Table(
    "run_log",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("run_id", Uuid, nullable=False),
    Column("at", Moment, nullable=False),
    Column("level", Text, nullable=False),
    Column("message", Text, nullable=False),
    Index("run_log_run", "run_id", "id"),
    sqlite_autoincrement=True,
)

SPEED_MEMORY = 0.9
"""Share of the earlier speed in each new estimate: about the last ten steps count."""


@dataclass(slots=True)
class Progress:
    """Where a run is now. step_at: seconds since the epoch of the newest step, None before the first one of a start."""

    journal_offset: int = 0
    step: int = 0
    epoch: int = 0
    last_loss: float | None = None
    steps_per_second: float | None = None
    images_per_second: float | None = None
    step_at: float | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    started_at: datetime
    ended_at: datetime | None
    progress: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Points:
    """One metric; steps and values have the same length; a value that is no finite number is NaN."""

    name: str
    steps: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(frozen=True, slots=True)
class LogLine:
    at: datetime
    level: str
    message: str


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC)


# ---- journal → rows


def read_progress(session: Session, run_id: UUID) -> Progress:
    return read_progresses(session, [run_id])[0]


def read_progresses(session: Session, run_ids: Sequence[UUID]) -> list[Progress]:
    """In the order asked for; a run that has not said anything yet is at its beginning."""
    rows = session.execute(select(run_progress).where(run_progress.c.run_id.in_(run_ids)))
    by_id = {row.run_id: Progress(**{slot: row._mapping[slot] for slot in Progress.__slots__}) for row in rows}
    return [by_id.get(run_id) or Progress() for run_id in run_ids]


def write_messages(session: Session, run_id: UUID, messages: Sequence[wire.Message], *, offset: int) -> None:
    """The measurements among the messages, and the offset behind them."""
    progress = read_progress(session, run_id)
    points: dict[str, Points] = {}
    for message in messages:
        match message:
            case wire.Started():
                progress.step_at = progress.steps_per_second = None
                _forget_phases(session, run_id)
            case wire.Planned():
                _rewind(session, run_id, progress, step=message.resumed_from_step or 0)
            case wire.StepDone():
                _advance(progress, message)
                _collect(points, message)
            case wire.PhaseChanged():
                _write_phase(session, run_id, message)
        line = log_line(message)
        if line is not None:
            write_log(session, run_id, line)
    progress.journal_offset = offset
    _write_points(session, run_id, points.values())
    _write_progress(session, run_id, progress)


def log_line(message: wire.Message) -> LogLine | None:
    """What the log of a run says of a message, so that it tells the run's story; None for what is shown elsewhere."""
    level, said = "info", None
    match message:
        case wire.Logged():
            level, said = message.level, message.message
        case wire.Started():
            others = "" if message.num_processes == 1 else f" and {message.num_processes - 1} more"
            said = f"Started on {message.device}{others}."
        case wire.Planned():
            said = _plan_in_words(message)
        case wire.CheckpointSaved():
            said = f"Saved a checkpoint at step {message.step} ({message.size_bytes / 1e6:.1f} MB)."
        case wire.WeightsSaved():
            said = f"Saved the weights of step {message.step} ({message.size_bytes / 1e6:.1f} MB)."
        case wire.Ended():
            level = "error" if message.outcome == "failed" else "info"
            said = f"Ended at step {message.step}: {message.outcome}." + (
                f" {message.reason}" if message.reason else ""
            )
    return None if said is None else LogLine(moment(message.at), level, said)


def _plan_in_words(plan: wire.Planned) -> str:
    origin = "" if plan.resumed_from_step is None else f", going on from step {plan.resumed_from_step}"
    return (
        f"{plan.total_steps:,} steps with batches of {plan.effective_batch_size:,}{origin}; {plan.num_images:,} pictures or clips, "
        f"{plan.steps_per_epoch:,} steps an epoch; {plan.num_trainable_parameters:,} parameters are trained."
    )


def write_log(session: Session, run_id: UUID, line: LogLine) -> None:
    session.execute(insert(run_log).values(run_id=run_id, at=line.at, level=line.level, message=line.message))


def _advance(progress: Progress, message: wire.StepDone) -> None:
    loss = message.metrics.get("loss")
    if progress.step_at is not None and message.at > progress.step_at and message.step > progress.step:
        speed = (message.step - progress.step) / (message.at - progress.step_at)
        earlier = progress.steps_per_second
        progress.steps_per_second = speed if earlier is None else SPEED_MEMORY * earlier + (1 - SPEED_MEMORY) * speed
    progress.step, progress.epoch, progress.step_at = message.step, message.epoch, message.at
    progress.last_loss = loss if loss is not None and math.isfinite(loss) else None
    progress.images_per_second = message.metrics.get("images_per_second")


def _collect(points: dict[str, Points], message: wire.StepDone) -> None:
    for name, value in message.metrics.items():
        series = points.setdefault(name, Points(name))
        series.steps.append(message.step)
        series.values.append(value)


def _write_points(session: Session, run_id: UUID, points: Any) -> None:
    rows = [
        {
            "run_id": run_id,
            "name": series.name,
            "last_step": series.steps[-1],
            "steps": series.steps.tobytes(),
            "values": series.values.tobytes(),
        }
        for series in points
    ]
    if rows:
        session.execute(insert(metric_chunks), rows)


def _rewind(session: Session, run_id: UUID, progress: Progress, *, step: int) -> None:
    """A new start goes on from a step: what the earlier one measured after it will be measured again."""
    progress.step = step
    stale = select(metric_chunks).where(metric_chunks.c.run_id == run_id, metric_chunks.c.last_step > step)
    for row in session.execute(stale).all():
        kept = [(at, value) for at, value in _pairs(row.steps, row.values) if at <= step]
        session.execute(delete(metric_chunks).where(metric_chunks.c.id == row.id))
        if kept:
            values = {
                "id": row.id,
                "run_id": run_id,
                "name": row.name,
                "last_step": kept[-1][0],
                "steps": array("q", [at for at, _ in kept]).tobytes(),
                "values": array("d", [value for _, value in kept]).tobytes(),
            }
            session.execute(insert(metric_chunks).values(**values))


def _forget_phases(session: Session, run_id: UUID) -> None:
    """Those of earlier starts; what comes before the trainer says that it has started is of this one."""
    earlier = run_phases.c.name.not_in(wire.PHASES_BEFORE_STARTED)
    session.execute(delete(run_phases).where(run_phases.c.run_id == run_id, earlier))


def _write_phase(session: Session, run_id: UUID, message: wire.PhaseChanged) -> None:
    """A phase that comes again, such as a later validation, begins anew."""
    same = (run_phases.c.run_id == run_id, run_phases.c.name == message.phase)
    row = session.execute(select(run_phases).where(*same)).first()
    values: dict[str, Any] = {
        "progress": message.progress,
        "total": message.total,
        "ended_at": moment(message.at) if message.ended else None,
    }
    if row is None:
        session.execute(
            insert(run_phases).values(run_id=run_id, name=message.phase, started_at=moment(message.at), **values)
        )
        return
    if row.ended_at is not None and not message.ended:
        values["started_at"] = moment(message.at)
    session.execute(update(run_phases).where(*same).values(**values))


def _write_progress(session: Session, run_id: UUID, progress: Progress) -> None:
    values = {column: getattr(progress, column) for column in Progress.__slots__}
    changed = session.execute(update(run_progress).where(run_progress.c.run_id == run_id).values(**values))
    if changed.rowcount == 0:  # type: ignore[attr-defined]
        session.execute(insert(run_progress).values(run_id=run_id, **values))


# ---- rows → series


def phases_of(session: Session, run_id: UUID) -> list[Phase]:
    rows = session.execute(select(run_phases).where(run_phases.c.run_id == run_id).order_by(run_phases.c.started_at))
    return [Phase(row.name, row.started_at, row.ended_at, row.progress, row.total) for row in rows]


def log_of(session: Session, run_id: UUID, *, last: int, upto: int) -> list[LogLine]:
    """The newest lines up to a line id, oldest first."""
    rows = session.execute(
        select(run_log)
        .where(run_log.c.run_id == run_id, run_log.c.id <= upto)
        .order_by(run_log.c.id.desc())
        .limit(last)
    ).all()
    return [LogLine(row.at, row.level, row.message) for row in reversed(rows)]


def series_of(session: Session, run_id: UUID, *, names: Sequence[str] | None, upto: int) -> list[Points]:
    """All points of the metrics, or of those named, up to a chunk id, each in the order of its steps."""
    where = [metric_chunks.c.run_id == run_id, metric_chunks.c.id <= upto]
    if names is not None:
        where.append(metric_chunks.c.name.in_(names))
    series: dict[str, Points] = {}
    for row in session.execute(select(metric_chunks).where(*where).order_by(metric_chunks.c.id)):
        _append(series, row)
    return list(series.values())


def last_ids(session: Session, run_id: UUID) -> tuple[int, int]:
    """Ids of the newest metric chunk and the newest log line of a run, 0 where there is none."""
    chunk = session.scalar(select(func.max(metric_chunks.c.id)).where(metric_chunks.c.run_id == run_id))
    line = session.scalar(select(func.max(run_log.c.id)).where(run_log.c.run_id == run_id))
    return chunk or 0, line or 0


def points_after(session: Session, run_id: UUID, *, after: int, max_chunks: int) -> tuple[int, list[Points]]:
    """The points written after a chunk id, and the id of the last chunk read."""
    rows = session.execute(
        select(metric_chunks)
        .where(metric_chunks.c.run_id == run_id, metric_chunks.c.id > after)
        .order_by(metric_chunks.c.id)
        .limit(max_chunks)
    ).all()
    series: dict[str, Points] = {}
    for row in rows:
        _append(series, row)
    return (rows[-1].id if rows else after), list(series.values())


def log_after(session: Session, run_id: UUID, *, after: int, max_lines: int) -> tuple[int, list[LogLine]]:
    """The lines written after a line id, and the id of the last one."""
    rows = session.execute(
        select(run_log).where(run_log.c.run_id == run_id, run_log.c.id > after).order_by(run_log.c.id).limit(max_lines)
    ).all()
    return (rows[-1].id if rows else after), [LogLine(row.at, row.level, row.message) for row in rows]


def downsample(series: Points, max_points: int) -> Points:
    """At most max_points points with the first, the last and the exact minimum and maximum of every stretch."""
    num_points = len(series.steps)
    if num_points <= max_points:
        return series
    kept = {0, num_points - 1}
    num_stretches = max(1, (max_points - 2) // 2)
    for stretch in range(num_stretches):
        start, end = stretch * num_points // num_stretches, (stretch + 1) * num_points // num_stretches
        indices = [index for index in range(start, end) if math.isfinite(series.values[index])]
        if indices:
            kept.add(min(indices, key=series.values.__getitem__))
            kept.add(max(indices, key=series.values.__getitem__))
    order = sorted(kept)[:max_points]
    return Points(
        series.name, array("q", [series.steps[i] for i in order]), array("d", [series.values[i] for i in order])
    )


def finite_values(series: Points) -> list[float]:
    return [value for value in series.values if math.isfinite(value)]


def with_nulls(series: Points) -> list[float | None]:
    """The values, with None for what is no finite number."""
    return [value if math.isfinite(value) else None for value in series.values]


def _append(series: dict[str, Points], row: Any) -> None:
    points = series.setdefault(row.name, Points(row.name))
    points.steps.frombytes(row.steps)
    points.values.frombytes(row.values)


def _pairs(steps: bytes, values: bytes) -> list[tuple[int, float]]:
    one, other = array("q"), array("d")
    one.frombytes(steps)
    other.frombytes(values)
    return list(zip(one, other, strict=True))
