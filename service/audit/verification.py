"""Walking the events with their links and their entries in the log, to find the first that is not as it was written."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from eventsourcing.persistence import Notification
from sqlalchemy import ColumnElement, Row, Table, select
from sqlalchemy.orm import Session

from domain.aggregate import Noun
from domain.application import SimpleTuner
from service.audit.chain import NO_EVENTS, Head, event_chain, link
from service.database import Database
from service.read_models.audit import AuditEntry, audit_entries, entry_of, make_entry
from service.store import events_table

BATCH = 500
WRONG_ENTRY = (
    "its entry in the audit log was altered; the event is as it was written, and simpletuner rebuild mends the log"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at a position: as it should be an event, its link and, when a person caused it, its entry."""

    position: int
    event: Notification | None
    digest: bytes | None
    entry: AuditEntry | None


@dataclass(frozen=True, slots=True)
class Alteration:
    """at and kind: of the event at the position, None when it is not there or cannot be read."""

    position: int
    what: str
    at: datetime | None = None
    kind: str | None = None

    def __str__(self) -> str:
        said = [f"position {self.position}", self.kind, self.at.isoformat(timespec="seconds") if self.at else None]
        return f"{', '.join(filter(None, said))}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verified:
    """head: of the part that is unaltered. alteration: the first one, None when there is none."""

    num_events: int
    head: Head
    alteration: Alteration | None = None


def verify(application: SimpleTuner, database: Database, *, key: bytes, noted: Head | None = None) -> Verified:
    """From the first event to the newest; noted: an earlier head, which must still be part of the chain."""
    events, mapper = events_table(application), application.mapper
    num_events, head = 0, NO_EVENTS
    for place in walk(database, events, after=0):
        if noted is not None and place.position > noted.position > head.position:
            return Verified(num_events, head, _not_part(noted))
        if place.event is None or place.digest is None:
            return Verified(num_events, head, _incomplete(place))
        if place.digest != link(key, head.digest, place.event, position=place.position):
            return Verified(num_events, head, _explain(database, events, place, key=key, previous=head))
        if place.entry != entry_of(cast(Noun.Event, mapper.to_domain_event(place.event)), place.position):
            return Verified(num_events, head, _altered(place.event, WRONG_ENTRY))
        num_events, head = num_events + 1, Head(place.position, place.digest)
        if noted is not None and noted.position == head.position and noted.digest != head.digest:
            return Verified(num_events, head, _not_part(noted, place.event))
    if noted is not None and noted.position > head.position:
        return Verified(num_events, head, _cut_off(noted, head))
    if noted is not None and noted.position == 0 and noted.digest != NO_EVENTS.digest:
        return Verified(num_events, head, _not_part(noted))
    return Verified(num_events, head)


def is_newest_fitting(application: SimpleTuner, database: Database, *, key: bytes) -> bool:
    """Whether the newest link was made with this key; at the cost of a look-up, for every start."""
    events = events_table(application)
    with database.reading() as session:
        links = session.execute(select(event_chain).order_by(event_chain.c.position.desc()).limit(2)).all()
        position = links[0].position if links else 0
        row = session.execute(select(events).where(events.c.id == position)).first()
    if row is None:
        return not links
    previous = bytes(links[1].digest) if len(links) > 1 else NO_EVENTS.digest
    return bytes(links[0].digest) == link(key, previous, _event(row), position=position)


def walk(database: Database, events: Table, *, after: int) -> Iterator[Place]:
    """Every position behind `after` in rising order, a batch in memory at a time; each batch is of one state."""
    while True:
        with database.reading() as session:
            batch = _read_batch(session, events, after)
        yield from batch
        if not batch:
            return
        after = batch[-1].position


def _read_batch(session: Session, events: Table, after: int) -> list[Place]:
    """Up to where all tables have been read."""
    found = {row.id: _event(row) for row in _rows_behind(session, events, events.c.id, after)}
    links = _rows_behind(session, event_chain, event_chain.c.position, after)
    entries = _rows_behind(session, audit_entries, audit_entries.c.position, after)
    digests = {row.position: bytes(row.digest) for row in links}
    logged = {row.position: make_entry(row) for row in entries}
    ends = [max(positions) for positions in (found, digests, logged) if len(positions) == BATCH]
    end = min(ends, default=None)
    positions = sorted(position for position in {*found, *digests, *logged} if end is None or position <= end)
    return [Place(each, found.get(each), digests.get(each), logged.get(each)) for each in positions]


def _rows_behind(session: Session, table: Table, position: ColumnElement[int], after: int) -> Sequence[Row[Any]]:
    return session.execute(select(table).where(position > after).order_by(position).limit(BATCH)).all()


def _event(row: Row[Any]) -> Notification:
    return Notification(
        id=row.id,
        originator_id=row.originator_id,
        originator_version=row.originator_version,
        topic=row.topic,
        state=bytes(row.state),
    )


def _incomplete(place: Place) -> Alteration:
    if place.event is None and place.digest is None:
        return Alteration(place.position, "the audit log has an entry without an event")
    if place.event is None:
        return Alteration(place.position, "the event is missing; its link is there")
    return _altered(place.event, "the event was inserted, or its link was removed: it has none")


def _explain(database: Database, events: Table, place: Place, *, key: bytes, previous: Head) -> Alteration:
    """What is wrong with the first place that does not fit; the links that follow tell which part of it is genuine."""
    event, digest = place.event, place.digest
    assert event is not None
    assert digest is not None
    following = next(walk(database, events, after=place.position), None)
    if _fits(key, link(key, previous.digest, event, position=place.position), following):
        return _altered(event, "its link was altered; the event is as it was written")
    said = "the event was altered"
    if not _fits(key, digest, following):
        said = "the event or its link was altered, or the key is not the one that they were written with"
    if place.position > previous.position + 1:
        said += f", or others between {previous.position} and {place.position} are missing"
    for other in walk(database, events, after=place.position):
        if other.event and digest == link(key, previous.digest, other.event, position=place.position):
            said = f"the order was altered: the event that belongs here stands at {other.position}"
            break
    return _altered(event, said)


def _fits(key: bytes, digest: bytes, following: Place | None) -> bool:
    """The next link was made behind this digest."""
    if following is None or following.event is None:
        return False
    return following.digest == link(key, digest, following.event, position=following.position)


def _not_part(noted: Head, event: Notification | None = None) -> Alteration:
    said = f"the noted head {noted} is not part of the chain: events were removed, and others written after that"
    return Alteration(noted.position, said) if event is None else _altered(event, said)


def _cut_off(noted: Head, head: Head) -> Alteration:
    return Alteration(noted.position, f"the chain ends at {head.position}, before the noted head: its end was cut off")


def _altered(event: Notification, what: str) -> Alteration:
    return Alteration(event.id, what, at=_time_of(event), kind=event.topic)


def _time_of(event: Notification) -> datetime | None:
    """None when the event's state cannot be read any more."""
    try:
        return datetime.fromisoformat(json.loads(event.state)["timestamp"]["_data_"])
    except (ValueError, LookupError, TypeError):
        return None
