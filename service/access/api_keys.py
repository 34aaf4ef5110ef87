"""API keys: shown once, kept as a digest, never more rights than their user has."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Table, Text, Uuid, insert, or_, select, update
from sqlalchemy.orm import Session

from domain.errors import NotFound
from service.access.tokens import API_KEY_PREFIX, digest_token
from service.database import metadata
from service.read_models.columns import Json, Moment

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("permissions", Json),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
)

SHOWN_CHARACTERS = len(API_KEY_PREFIX) + 4
USE_RESOLUTION = timedelta(minutes=1)
"""How exactly the last use is known; finer would write to the database at every request."""


@dataclass(frozen=True, slots=True)
class ApiKeyRow:
    """permissions: None means all that the user has."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    permissions: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def write_api_key(session: Session, key: ApiKeyRow, secret: str) -> None:
    values = {field: getattr(key, field) for field in ApiKeyRow.__slots__}
    values["permissions"] = None if key.permissions is None else list(key.permissions)
    session.execute(insert(api_keys).values(digest=digest_token(secret), **values))


def find_secret(session: Session, secret: str, *, now: datetime) -> ApiKeyRow | None:
    """The key that a secret opens, unless it is revoked or has expired."""
    if not secret.startswith(API_KEY_PREFIX):
        return None
    row = session.execute(
        select(api_keys).where(
            api_keys.c.digest == digest_token(secret),
            api_keys.c.revoked_at.is_(None),
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
    ).first()
    return None if row is None else _make(row)


def find_api_key(session: Session, key_id: UUID) -> ApiKeyRow:
    """Raises NotFound."""
    row = session.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
    if row is None:
        raise NotFound("there is no API key with that id", path=("id",))
    return _make(row)


def api_keys_of(session: Session, user_id: UUID) -> list[ApiKeyRow]:
    """Those that have not been revoked, oldest first."""
    rows = session.execute(
        select(api_keys)
        .where(api_keys.c.user_id == user_id, api_keys.c.revoked_at.is_(None))
        .order_by(api_keys.c.created_at)
    )
    return [_make(row) for row in rows]


def is_use_due(key: ApiKeyRow, *, now: datetime) -> bool:
    return key.last_used_at is None or now - key.last_used_at > USE_RESOLUTION


def mark_used(session: Session, key_id: UUID, *, now: datetime) -> None:
    session.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now))


def mark_revoked(session: Session, key_id: UUID, *, now: datetime) -> None:
    session.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=now))


def _make(row: Row[Any]) -> ApiKeyRow:
    values = {field: row._mapping[field] for field in ApiKeyRow.__slots__}
    permissions = values["permissions"]
    return ApiKeyRow(**{**values, "permissions": None if permissions is None else tuple(permissions)})
