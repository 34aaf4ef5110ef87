"""What was done to captions, with each of them before and after, so that it can be undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Session

from service.database import metadata
from service.read_models.columns import Moment
from service.read_models.pages import Page, read_page

caption_edits = Table(
    "caption_edits",
    metadata,
    Column("dataset_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("author", Uuid),
    Column("operation", Text, nullable=False),
    Column("undoes", Integer),
    Column("undone_by", Integer),
)
edited_captions = Table(
    "edited_captions",
    metadata,
    Column("dataset_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", LargeBinary, primary_key=True),
    Column("before", LargeBinary),
    Column("after", LargeBinary),
    Column("failure", Text),
)
"""They are no read models: captions are no events, and nothing could make these rows anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionEdit:
    """undoes, undone_by: numbers of other edits. num_failed: captions that were not written."""

    number: int
    at: datetime
    author: UUID | None
    operation: str
    undoes: int | None
    undone_by: int | None
    num_images: int
    num_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedCaption:
    """name: of the picture, encoded. before, after: the file beside it; None for no file. failure: why not written."""

    name: bytes
    before: bytes | None
    after: bytes | None
    failure: str | None = None


def write_edit(
    session: Session,
    dataset_id: UUID,
    number: int,
    *,
    at: datetime,
    author: UUID | None,
    operation: str,
    undoes: int | None,
    captions: Sequence[EditedCaption],
) -> None:
    key = {"dataset_id": dataset_id, "number": number}
    session.execute(
        insert(caption_edits).values(**key, at=at, author=author, operation=operation, undoes=undoes, undone_by=None)
    )
    session.execute(
        insert(edited_captions),
        [key | {"name": each.name, "before": each.before, "after": each.after, "failure": None} for each in captions],
    )
    if undoes is not None:
        session.execute(
            update(caption_edits)
            .where(caption_edits.c.dataset_id == dataset_id, caption_edits.c.number == undoes)
            .values(undone_by=number)
        )


def write_failures(session: Session, dataset_id: UUID, number: int, failures: dict[bytes, str]) -> None:
    session.execute(
        update(edited_captions)
        .where(
            edited_captions.c.dataset_id == dataset_id,
            edited_captions.c.number == number,
            edited_captions.c.name == bindparam("of"),
        )
        .values(failure=bindparam("why")),
        [{"of": name, "why": why} for name, why in failures.items()],
    )


def find_edit(session: Session, dataset_id: UUID, number: int) -> CaptionEdit | None:
    row = session.execute(
        select(caption_edits).where(caption_edits.c.dataset_id == dataset_id, caption_edits.c.number == number)
    ).first()
    return None if row is None else _make(session, row)


def list_edits(session: Session, dataset_id: UUID, *, first: int, after: int | None) -> Page[CaptionEdit]:
    """Newest first."""
    return read_page(
        session,
        caption_edits,
        order=caption_edits.c.number,
        where=[caption_edits.c.dataset_id == dataset_id],
        first=first,
        after=after,
        make=lambda row: _make(session, row),
    )


def captions_of_edit(
    session: Session, dataset_id: UUID, number: int, *, limit: int | None = None
) -> list[EditedCaption]:
    rows = session.execute(
        select(edited_captions)
        .where(edited_captions.c.dataset_id == dataset_id, edited_captions.c.number == number)
        .order_by(edited_captions.c.name)
        .limit(limit)
    )
    return [EditedCaption(name=row.name, before=row.before, after=row.after, failure=row.failure) for row in rows]


def _make(session: Session, row: Row[Any]) -> CaptionEdit:
    of_edit = (edited_captions.c.dataset_id == row.dataset_id, edited_captions.c.number == row.number)
    num_images, num_failed = session.execute(
        select(func.count(), func.count(edited_captions.c.failure)).where(*of_edit)
    ).one()
    return CaptionEdit(
        number=row.number,
        at=row.at,
        author=row.author,
        operation=row.operation,
        undoes=row.undoes,
        undone_by=row.undone_by,
        num_images=num_images,
        num_failed=num_failed,
    )
