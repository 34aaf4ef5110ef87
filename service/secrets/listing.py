"""What is known of each stored secret besides its value: when, by whom, and what asking about it found.

Not made from events, so that it can be erased with its user; the values are in service.secrets.vault.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Table, Text, Uuid, delete, insert, select, update
from sqlalchemy.orm import Session

from domain.policy import POLICY_ID
from domain.secret import NAMES, SecretKind, SecretScope, kind_of
from service.database import metadata
from service.read_models.columns import Json, Moment
from service.secrets.vault import remove_all_of

secrets = Table(
    "secrets",
    metadata,
    Column("owner_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("set_at", Moment, nullable=False),
    Column("set_by", Uuid),
    Column("checked_at", Moment),
    Column("checked", Json),
)


class CheckResult(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found. message: for people. role: read, write or fineGrained, as the Hub says it. namespaces: where the
    account may publish, its own first.
    """

    result: CheckResult
    message: str
    account: str | None = None
    role: str | None = None
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretRow:
    """owner_id: a user, or the policy for a shared one. set_by: None for the command line. checked: None when nobody was
    asked."""

    owner_id: UUID
    name: str
    set_at: datetime
    set_by: UUID | None
    checked_at: datetime | None
    checked: Checked | None

    @property
    def kind(self) -> SecretKind:
        return kind_of(self.name)

    @property
    def scope(self) -> SecretScope:
        return SecretScope.SHARED if self.owner_id == POLICY_ID else SecretScope.PERSONAL


def list_secrets(session: Session, user_id: UUID | None) -> list[SecretRow]:
    """The user's own, then those that are shared, by name; None for the shared ones alone."""
    owners = [POLICY_ID] if user_id is None else [user_id, POLICY_ID]
    rows = session.execute(select(secrets).where(secrets.c.owner_id.in_(owners)).order_by(secrets.c.name))
    return sorted((_make(row) for row in rows), key=lambda row: row.owner_id == POLICY_ID)


def find_secret(session: Session, owner_id: UUID, name: str) -> SecretRow | None:
    row = session.execute(select(secrets).where(secrets.c.owner_id == owner_id, secrets.c.name == name)).first()
    return None if row is None else _make(row)


def has_hub_token(session: Session, user_id: UUID | None) -> bool:
    """Whether a run of this user is given a token of the Hugging Face Hub that the Hub has not refused."""
    name = NAMES[SecretKind.HUGGING_FACE]
    found = next((row for row in list_secrets(session, user_id) if row.name == name), None)
    return found is not None and (found.checked is None or found.checked.result is not CheckResult.REFUSED)


def write_secret(
    session: Session, owner_id: UUID, name: str, *, set_by: UUID | None, checked: Checked | None, now: datetime
) -> None:
    remove_secret(session, owner_id, name)
    session.execute(
        insert(secrets).values(
            owner_id=owner_id,
            name=name,
            set_at=now,
            set_by=set_by,
            checked_at=now if checked else None,
            checked=_stored(checked),
        )
    )


def note_check(session: Session, owner_id: UUID, name: str, *, checked: Checked, now: datetime) -> None:
    session.execute(
        update(secrets)
        .where(secrets.c.owner_id == owner_id, secrets.c.name == name)
        .values(checked_at=now, checked=_stored(checked))
    )


def remove_secret(session: Session, owner_id: UUID, name: str) -> None:
    session.execute(delete(secrets).where(secrets.c.owner_id == owner_id, secrets.c.name == name))


def erase_secrets_of(session: Session, owner_id: UUID) -> None:
    """With their values."""
    session.execute(delete(secrets).where(secrets.c.owner_id == owner_id))
    remove_all_of(session, owner_id)


def _stored(checked: Checked | None) -> dict[str, Any] | None:
    if checked is None:
        return None
    return {field: getattr(checked, field) for field in Checked.__slots__} | {"namespaces": list(checked.namespaces)}


def _make(row: Row[Any]) -> SecretRow:
    found = row.checked
    checked = None
    if found is not None:
        checked = Checked(**{**found, "result": CheckResult(found["result"]), "namespaces": tuple(found["namespaces"])})
    return SecretRow(row.owner_id, row.name, row.set_at, row.set_by, row.checked_at, checked)
