"""The audit log: one entry for every event that a person caused, made from what the event itself says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from eventsourcing.utils import get_topic
from sqlalchemy import Column, ColumnElement, Row, Table, Text, Uuid, func, insert, select
from sqlalchemy.orm import Session

from domain.access import SERVICE, TRAINER
from domain.aggregate import Noun
from domain.config.changes import Change
from service.database import metadata
from service.read_models.columns import Big, Json, Moment
from service.read_models.dataset import find_datasets
from service.read_models.environment import find_environments
from service.read_models.pages import Page, read_page
from service.read_models.training_run import training_runs
from service.read_models.user import find_users

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("actor_id", Uuid, index=True),
    Column("via", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("changes", Json, nullable=False),
)

TABLES = (audit_entries,)

NOBODY = frozenset({SERVICE.via, TRAINER.via})
"""By whom nothing is decided: what they record follows from what people decided."""

EVERY_EVENT_HAS = frozenset(
    {"originator_id", "originator_version", "originator_topic", "timestamp", "by", "via", "address"}
)
BEFORE = "_before"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """actor_id: None for the command line and the first start. subject_kind: User, Policy, Environment, Dataset or
    TrainingRun. action: what happened to it, for example environment.config_changed.
    """

    position: int
    at: datetime
    actor_id: UUID | None
    via: str
    address: str
    subject_kind: str
    subject_id: UUID
    action: str
    changes: list[Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """None leaves open. since: the first moment, until: the first one after. action, via: how they begin."""

    actor_id: UUID | None = None
    subject_id: UUID | None = None
    action: str | None = None
    via: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = AuditFilter()


def project(session: Session, event: Noun.Event, position: int) -> None:
    entry = entry_of(event, position)
    if entry is not None:
        session.execute(insert(audit_entries).values({field: getattr(entry, field) for field in AuditEntry.__slots__}))


def entry_of(event: Noun.Event, position: int) -> AuditEntry | None:
    """None for what no person did."""
    if event.via in NOBODY:
        return None
    subject_kind, _, happened = get_topic(type(event)).partition(".")
    return AuditEntry(
        position=position,
        at=event.timestamp,
        actor_id=event.by,
        via=event.via,
        address=event.address,
        subject_kind=subject_kind,
        subject_id=event.originator_id,
        action=f"{snake_case(subject_kind)}.{snake_case(happened)}",
        changes=changes_of(event),
    )


def changes_of(event: Noun.Event) -> list[Change]:
    """From the event's own fields: `changes` as they are, x and x_before as one change, all others as new values."""
    fields = {name: plain(value) for name, value in vars(event).items() if name not in EVERY_EVENT_HAS}
    changes: list[Change] = list(fields.pop("changes", []))
    for name, after in fields.items():
        if name.endswith(BEFORE) and name.removesuffix(BEFORE) in fields:
            continue
        if name + BEFORE not in fields:
            changes.append(Change(key=name, after=after))
        elif fields[name + BEFORE] != after:
            changes.append(Change(key=name, before=fields[name + BEFORE], after=after))
    return changes


def plain(value: Any) -> Any:
    """As JSON has it."""
    match value:
        case UUID():
            return str(value)
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
    return value


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def list_entries(session: Session, given: AuditFilter, *, first: int, after: int | None) -> Page[AuditEntry]:
    """Newest first."""
    return read_page(
        session,
        audit_entries,
        order=audit_entries.c.position,
        where=conditions(given),
        first=first,
        after=after,
        make=make_entry,
    )


def conditions(given: AuditFilter) -> list[ColumnElement[bool]]:
    columns = audit_entries.c
    where: list[ColumnElement[bool]] = []
    if given.actor_id is not None:
        where.append(columns.actor_id == given.actor_id)
    if given.subject_id is not None:
        where.append(columns.subject_id == given.subject_id)
    if given.action is not None:
        where.append(_begins_with(columns.action, given.action))
    if given.via is not None:
        where.append(_begins_with(columns.via, given.via))
    if given.since is not None:
        where.append(columns.at >= given.since)
    if given.until is not None:
        where.append(columns.at < given.until)
    return where


def _begins_with(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """LIKE would not tell capitals from small letters on SQLite."""
    return func.substr(column, 1, len(text)) == text


def make_entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**{field: row._mapping[field] for field in AuditEntry.__slots__})


def find_subject_names(session: Session, entries: Sequence[AuditEntry]) -> dict[UUID, str]:
    """By id, as they are called now; those that are gone are left out."""
    ids: dict[str, set[UUID]] = {}
    for entry in entries:
        ids.setdefault(entry.subject_kind, set()).add(entry.subject_id)
    users = find_users(session, list(ids.get("User", ())))
    named: list[Any] = [
        *find_environments(session, list(ids.get("Environment", ()))),
        *find_datasets(session, list(ids.get("Dataset", ()))),
        *session.execute(
            select(training_runs.c.id, training_runs.c.name).where(training_runs.c.id.in_(ids.get("TrainingRun", ())))
        ),
    ]
    names = {each.id: each.name for each in named if each is not None}
    return names | {user.id: user.username for user in users if user is not None}
