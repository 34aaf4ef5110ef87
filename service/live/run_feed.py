"""What has happened to a run since a cursor: facts from the read models, measurements from telemetry, in one state."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from service import telemetry
from service.cursors import RunCursor
from service.read_models.training_run import (
    CheckpointRow,
    ImageRow,
    RunRow,
    checkpoints_of,
    find_run,
    images_of,
    removed_steps_of,
)

MAX_CHUNKS = 2000
MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class RunNews:
    """cursor: behind everything here. rewound_to_step: points beyond it are void; it comes before `points`.

    version: changes whenever anything of the run does. is_all: nothing was left for a next part.
    """

    cursor: RunCursor
    run: RunRow
    progress: telemetry.Progress
    rewound_to_step: int | None
    is_all: bool
    points: list[telemetry.Points] = field(default_factory=list)
    images: list[ImageRow] = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    removed_checkpoints: list[int] = field(default_factory=list)
    lines: list[telemetry.LogLine] = field(default_factory=list)

    @property
    def version(self) -> tuple[int, int, RunCursor]:
        return self.run.changed_position, self.progress.journal_offset, self.cursor


def read_run_news(session: Session, run_id: UUID, cursor: RunCursor) -> RunNews | None:
    """None when there is no such run."""
    run = find_run(session, run_id)
    if run is None:
        return None
    chunk, points = telemetry.points_after(session, run_id, after=cursor.chunk, max_chunks=MAX_CHUNKS)
    line, lines = telemetry.log_after(session, run_id, after=cursor.line, max_lines=MAX_LINES)
    newest_chunk, newest_line = telemetry.last_ids(session, run_id)
    is_rewound = run.rewound_position is not None and run.rewound_position > cursor.event
    return RunNews(
        cursor=RunCursor(event=max(run.changed_position, cursor.event), chunk=chunk, line=line),
        run=run,
        progress=telemetry.read_progress(session, run_id),
        rewound_to_step=run.rewound_to_step if is_rewound else None,
        is_all=chunk >= newest_chunk and line >= newest_line,
        points=points,
        images=images_of(session, run_id, after=cursor.event, upto=run.changed_position),
        checkpoints=checkpoints_of(session, run_id, after=cursor.event, upto=run.changed_position),
        removed_checkpoints=removed_steps_of(session, run_id, after=cursor.event, upto=run.changed_position),
        lines=lines,
    )


def read_run_cursor(session: Session, run: RunRow) -> RunCursor:
    """Behind everything that is known of a run in this state of the database."""
    chunk, line = telemetry.last_ids(session, run.id)
    return RunCursor(event=run.changed_position, chunk=chunk, line=line)
