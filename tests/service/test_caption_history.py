"""The history of captions on both kinds of databases, with names and contents that are no text."""

from datetime import UTC, datetime
from uuid import uuid4

from service.captions.history import (
    CaptionEdit,
    EditedCaption,
    captions_of_edit,
    find_edit,
    list_edits,
    write_edit,
    write_failures,
)
from service.database import Database

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_edits_are_kept_as_they_were(database: Database) -> None:
    dataset_id, author = uuid4(), uuid4()
    captions = [
        EditedCaption(name=b"a\xff.png", before=None, after=b"\x00new"),
        EditedCaption(name=b"b.png", before=b"\xff old", after=None),
    ]
    with database.writing() as session:
        write_edit(session, dataset_id, 1, operation="prefix 'a'", undoes=None, captions=captions, at=AT, author=author)
        write_edit(
            session, dataset_id, 2, operation="undo the edit 1", undoes=1, captions=captions[:1], at=AT, author=author
        )
        write_edit(session, uuid4(), 1, operation="other", undoes=None, captions=captions, at=AT, author=author)
        write_failures(session, dataset_id, 1, {b"b.png": "it is full"})
    first = CaptionEdit(
        number=1,
        at=AT,
        author=author,
        operation="prefix 'a'",
        undoes=None,
        undone_by=2,
        num_images=2,
        num_failed=1,
    )
    with database.reading() as session:
        assert find_edit(session, dataset_id, 1) == first
        assert find_edit(session, dataset_id, 3) is None
        page = list_edits(session, dataset_id, first=5, after=None)
        assert ([position for position, _ in page.items], page.items[1][1], page.total) == ([2, 1], first, 2)
        assert captions_of_edit(session, dataset_id, 1) == [
            captions[0],
            EditedCaption(name=b"b.png", before=b"\xff old", after=None, failure="it is full"),
        ]
        assert captions_of_edit(session, dataset_id, 1, limit=1) == captions[:1]
