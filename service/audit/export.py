"""The audit log as JSON lines, oldest first: to keep a copy elsewhere, and to compare it with the chain later."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.config.changes import Change
from domain.errors import InvalidInput
from service.audit.chain import event_chain
from service.audit.moments import in_utc
from service.database import Database
from service.graphql.scalars import encode_id, split_id
from service.read_models.audit import AuditEntry, AuditFilter, audit_entries, conditions, find_subject_names, make_entry
from service.read_models.user import UserRow, find_users

PARAMETERS = ("actor", "subject", "action", "via", "since", "until")
BATCH = 200
LONGEST_DAY = len("2030-01-31")


def read_filter(given: Mapping[str, str]) -> AuditFilter:
    """Raises InvalidInput for a parameter that there is not, and for one that cannot be read."""
    for name, value in given.items():
        if name not in PARAMETERS:
            raise InvalidInput(f"there is no parameter {name!r:.60}; there are {', '.join(PARAMETERS)}", path=(name,))
        if "\0" in value:
            raise InvalidInput(f"{name} may not hold the character U+0000", path=(name,))
    return AuditFilter(
        actor_id=_key_in(given, "actor"),
        subject_id=_key_in(given, "subject"),
        action=given.get("action"),
        via=given.get("via"),
        since=_moment_in(given, "since"),
        until=_moment_in(given, "until"),
    )


def read_lines(session: Session, wanted: AuditFilter, *, after: int) -> tuple[str, int | None]:
    """A batch of lines behind a position, and the position to go on from; None at the end."""
    columns = audit_entries.c
    rows = session.execute(
        select(audit_entries, event_chain.c.digest)
        .outerjoin(event_chain, event_chain.c.position == columns.position)
        .where(*conditions(wanted), columns.position > after)
        .order_by(columns.position)
        .limit(BATCH)
    ).all()
    entries = [make_entry(row) for row in rows]
    names = find_subject_names(session, entries)
    actors = {user.id: user for user in find_users(session, list({*_actor_ids(entries)})) if user is not None}
    lines = "".join(
        _line(entry, row.digest, actor=actors.get(entry.actor_id) if entry.actor_id else None, names=names)
        for entry, row in zip(entries, rows, strict=True)
    )
    return lines, entries[-1].position if len(entries) == BATCH else None


def export(database: Database, wanted: AuditFilter) -> Iterator[str]:
    """All lines, a batch in memory at a time."""
    after: int | None = 0
    while after is not None:
        with database.reading() as session:
            lines, after = read_lines(session, wanted, after=after)
        yield lines


def _line(entry: AuditEntry, digest: bytes | None, *, actor: UserRow | None, names: Mapping[UUID, str]) -> str:
    written = {
        "position": entry.position,
        "at": entry.at.isoformat(),
        "actor": {"id": encode_id("User", actor.id), "username": actor.username} if actor else None,
        "via": entry.via,
        "address": entry.address,
        "subject": {
            "id": encode_id(entry.subject_kind, entry.subject_id),
            "kind": entry.action.partition(".")[0],
            "name": names.get(entry.subject_id),
        },
        "action": entry.action,
        "changes": [_whole(change) for change in entry.changes],
        "digest": bytes(digest).hex() if digest is not None else None,
    }
    return json.dumps(written, ensure_ascii=False) + "\n"


def _whole(change: Change) -> dict[str, Any]:
    return {"key": change["key"], "before": change.get("before"), "after": change.get("after")}


def _actor_ids(entries: list[AuditEntry]) -> Iterator[UUID]:
    return (entry.actor_id for entry in entries if entry.actor_id is not None)


def _key_in(given: Mapping[str, str], name: str) -> UUID | None:
    if name not in given:
        return None
    try:
        return UUID(split_id(given[name])[1])
    except ValueError as error:
        raise InvalidInput(f"{name} is {given[name]!r:.60}, which is no id that the API gave", path=(name,)) from error


def _moment_in(given: Mapping[str, str], name: str) -> datetime | None:
    """A day begins at midnight in UTC. Raises InvalidInput."""
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
    except ValueError as error:
        raise InvalidInput(
            f"{name} is {given[name]!r:.60}; write it like 2030-01-31 or 2030-01-31T12:00:00Z", path=(name,)
        ) from error
    is_day = len(given[name]) <= LONGEST_DAY
    return in_utc(moment.replace(tzinfo=UTC) if is_day else moment, name=name)
