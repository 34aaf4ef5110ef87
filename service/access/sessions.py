"""Sessions of browsers: a random token in a cookie, its digest in the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Table, Text, Uuid, delete, insert, select, update
from sqlalchemy.orm import Session

from domain.errors import NotFound
from service.access.tokens import digest_token
from service.database import metadata
from service.read_models.columns import Moment

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("address", Text, nullable=False),
)

COOKIE = "simpletuner_session"
LIFETIME = timedelta(days=30)
SEEN_RESOLUTION = timedelta(minutes=1)
"""How exactly it is known when a session was used; finer would write to the database at every request."""

MAX_USER_AGENT = 500


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: UUID
    user_id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    user_agent: str
    address: str


def begin_session(
    session: Session, token: str, *, session_id: UUID, user_id: UUID, user_agent: str, address: str, now: datetime
) -> None:
    session.execute(
        insert(sessions).values(
            id=session_id,
            digest=digest_token(token),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + LIFETIME,
            user_agent=user_agent[:MAX_USER_AGENT],
            address=address,
        )
    )
    session.execute(delete(sessions).where(sessions.c.expires_at < now))


def find_session(session: Session, token: str, *, now: datetime) -> SessionRow | None:
    """The session that a token opens, unless it has ended."""
    row = session.execute(
        select(sessions).where(sessions.c.digest == digest_token(token), sessions.c.expires_at > now)
    ).first()
    return None if row is None else _make(row)


def find_session_by_id(session: Session, session_id: UUID) -> SessionRow:
    """Raises NotFound."""
    row = session.execute(select(sessions).where(sessions.c.id == session_id)).first()
    if row is None:
        raise NotFound("there is no session with that id, or it has ended", path=("id",))
    return _make(row)


def sessions_of(session: Session, user_id: UUID, *, now: datetime) -> list[SessionRow]:
    """Those that have not ended, the one used last first."""
    rows = session.execute(
        select(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > now)
        .order_by(sessions.c.last_seen_at.desc(), sessions.c.created_at.desc())
    )
    return [_make(row) for row in rows]


def is_sight_due(row: SessionRow, *, now: datetime) -> bool:
    return now - row.last_seen_at > SEEN_RESOLUTION


def mark_seen(session: Session, session_id: UUID, *, now: datetime) -> None:
    session.execute(update(sessions).where(sessions.c.id == session_id).values(last_seen_at=now))


def end_session(session: Session, session_id: UUID) -> None:
    session.execute(delete(sessions).where(sessions.c.id == session_id))


def end_sessions_of(session: Session, user_id: UUID, *, but: UUID | None = None) -> None:
    ended = delete(sessions).where(sessions.c.user_id == user_id)
    session.execute(ended if but is None else ended.where(sessions.c.id != but))


def _make(row: Row[Any]) -> SessionRow:
    return SessionRow(**{field: row._mapping[field] for field in SessionRow.__slots__})
