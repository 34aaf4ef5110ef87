"""The state of uploads: rows beside the events, for what is not decided but measured.

How far an upload has come is not in here: it is what its file on disk says.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, ColumnElement, Row, Table, Text, Uuid, delete, func, insert, select, update
from sqlalchemy.orm import Session

from service.database import metadata
from service.read_models.columns import Big, Json, Moment

uploads = Table(
    "uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("via", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("filename", Text, nullable=False, index=True),
    Column("size_bytes", Big, nullable=False),
    Column("extract", Boolean, nullable=False),
    Column("told", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("problem", Text),
    Column("report", Json),
    Column("touched_at", Moment, nullable=False),
    Column("is_recorded", Boolean, nullable=False),
)

MAX_NAMED = 100
"""How many names each list of a report has at the most; the counts are of all."""


class UploadState(StrEnum):
    RECEIVING = "receiving"
    UNPACKING = "unpacking"
    DONE = "done"
    REFUSED = "refused"

    @property
    def has_ended(self) -> bool:
        return self in (UploadState.DONE, UploadState.REFUSED)


@dataclass(slots=True)
class Report:
    """What became of the files, each named as it came. duplicates: those that were there already, with the same content.
    renamed: with the new name, because another file has theirs or it could not be used. ignored: hidden ones."""

    num_added: int = 0
    added: list[str] = field(default_factory=list)
    num_duplicates: int = 0
    duplicates: list[str] = field(default_factory=list)
    num_renamed: int = 0
    renamed: list[tuple[str, str]] = field(default_factory=list)
    num_skipped: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    num_ignored: int = 0

    @property
    def placed(self) -> str:
        """What a single file is called in its folder."""
        return [*self.added, *self.duplicates][0]

    def add(self, name: str, placed: str, *, is_duplicate: bool) -> None:
        if is_duplicate:
            self.num_duplicates += 1
            _name(self.duplicates, placed)
        else:
            self.num_added += 1
            _name(self.added, placed)
        if name != placed:
            self.num_renamed += 1
            _name(self.renamed, (name, placed))

    def skip(self, name: str, reason: str) -> None:
        self.num_skipped += 1
        _name(self.skipped, (name, reason))


def _name(names: list[Any], each: Any) -> None:
    if len(names) < MAX_NAMED:
        names.append(each)


@dataclass(frozen=True, slots=True)
class UploadRow:
    """via, address: as in domain.access.Actor. folder, root: as in service.browsing.reach.Folder. told: the metadata as a tus client wrote it.
    problem: why it was refused. touched_at: when something came last. is_recorded: an event tells of what was added.
    """

    id: UUID
    user_id: UUID
    via: str
    address: str
    folder: Path
    root: Path
    filename: str
    size_bytes: int
    extract: bool
    told: str
    state: UploadState
    problem: str | None
    report: Report
    touched_at: datetime
    is_recorded: bool


def add_upload(session: Session, row: UploadRow) -> None:
    values = {name: getattr(row, name) for name in UploadRow.__slots__}
    written = {"folder": str(row.folder), "root": str(row.root), "state": row.state.value, "report": None}
    session.execute(insert(uploads).values(values | written))


def find_upload(session: Session, upload_id: UUID) -> UploadRow | None:
    row = session.execute(select(uploads).where(uploads.c.id == upload_id)).first()
    return None if row is None else _make(row)


def uploads_in(session: Session, *states: UploadState) -> list[UploadRow]:
    rows = session.execute(select(uploads).where(uploads.c.state.in_(states)).order_by(uploads.c.touched_at))
    return [_make(row) for row in rows]


def find_newest_of(session: Session, row: UploadRow, filenames: Sequence[str]) -> UploadRow | None:
    """The file of one of these names that the same person put into the same folder last."""
    where = (uploads.c.filename.in_(filenames)) & (uploads.c.user_id == row.user_id)
    is_there = (uploads.c.folder == str(row.folder)) & (uploads.c.state == UploadState.DONE.value)
    newest = select(uploads).where(where & is_there).order_by(uploads.c.touched_at.desc()).limit(1)
    found = session.execute(newest).first()
    return None if found is None else _make(found)


def unrecorded_uploads(session: Session) -> list[UploadRow]:
    """Those that are done, and of which no event tells yet."""
    where = (uploads.c.state == UploadState.DONE.value) & ~uploads.c.is_recorded
    return [_make(row) for row in session.execute(select(uploads).where(where))]


def mark_recorded(session: Session, ids: Sequence[UUID]) -> None:
    for upload_id in ids:
        session.execute(update(uploads).where(uploads.c.id == upload_id).values(is_recorded=True))


def uploads_before(session: Session, moment: datetime) -> list[UploadRow]:
    """Those that nothing has happened to since."""
    return [_make(row) for row in session.execute(select(uploads).where(uploads.c.touched_at < moment))]


def num_receiving(session: Session, user_id: UUID) -> int:
    where = _is_receiving() & (uploads.c.user_id == user_id)
    return session.scalar(select(func.count()).select_from(uploads).where(where)) or 0


def promised_bytes(session: Session) -> int:
    """What those that are being received come to."""
    return int(session.scalar(select(func.sum(uploads.c.size_bytes)).where(_is_receiving())) or 0)


def touch(session: Session, upload_id: UUID, *, now: datetime) -> None:
    session.execute(update(uploads).where(uploads.c.id == upload_id).values(touched_at=now))


def set_state(
    session: Session,
    upload_id: UUID,
    state: UploadState,
    *,
    now: datetime,
    problem: str | None = None,
    report: Report | None = None,
) -> None:
    written = None if report is None else asdict(report)
    values = {"state": state.value, "problem": problem, "report": written, "touched_at": now}
    session.execute(update(uploads).where(uploads.c.id == upload_id).values(values))


def remove_upload(session: Session, upload_id: UUID) -> None:
    session.execute(delete(uploads).where(uploads.c.id == upload_id))


def _is_receiving() -> ColumnElement[bool]:
    return uploads.c.state == UploadState.RECEIVING.value


def _make(row: Row[Any]) -> UploadRow:
    values = {name: row._mapping[name] for name in UploadRow.__slots__}
    read = {"folder": Path(row.folder), "root": Path(row.root), "state": UploadState(row.state)}
    return UploadRow(**(values | read | {"report": _report(row.report)}))


def _report(stored: dict[str, Any] | None) -> Report:
    pairs = {name: [(one, other) for one, other in (stored or {}).get(name, [])] for name in ("renamed", "skipped")}
    return Report(**((stored or {}) | pairs))
