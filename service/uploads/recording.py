"""Who added files to which folder, as events: one for all that came in the meantime, not one for each of thousands."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from domain.access import Actor
from domain.application import SimpleTuner
from domain.errors import NotFound
from service.database import Database
from service.uploads.records import UploadRow, mark_recorded, unrecorded_uploads


def record_added(application: SimpleTuner, database: Database) -> None:
    """Event and mark in one transaction: whatever dies when, each upload is told of once."""
    with database.reading() as session:
        rows = unrecorded_uploads(session)
    groups: dict[object, list[UploadRow]] = {}
    for row in rows:
        groups.setdefault((row.user_id, row.folder, row.via, row.address), []).append(row)
    for group in groups.values():
        _record(application, database, group)


def _record(application: SimpleTuner, database: Database, group: Sequence[UploadRow]) -> None:
    first = group[0]
    num_files = sum(row.report.num_added for row in group)
    num_bytes = sum(row.size_bytes for row in group if row.report.num_added)

    def mark(session: Session) -> None:
        mark_recorded(session, [row.id for row in group])

    if num_files:
        actor = Actor(user_id=first.user_id, via=first.via, address=first.address)
        try:
            application.change_user(
                first.user_id,
                lambda user: user.add_files(actor, folder=str(first.folder), num_files=num_files, num_bytes=num_bytes),
                along=mark,
            )
        except NotFound:  # deleted since, and what is left of them tells nothing new
            num_files = 0
    if not num_files:
        with database.writing() as session:
            mark(session)
