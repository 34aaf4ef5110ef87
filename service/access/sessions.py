"""Sessions of browsers: a random token in a cookie, its digest in the database."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Column, Table, Text, Uuid, delete, insert, select
from sqlalchemy.orm import Session

from service.access.tokens import digest_token
from service.database import metadata
from service.read_models.columns import Moment

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("browser", Text, nullable=False),
)

COOKIE = "simpletuner_session"
LIFETIME = timedelta(days=30)


def begin_session(session: Session, token: str, *, user_id: UUID, browser: str, now: datetime) -> None:
    session.execute(
        insert(sessions).values(
            digest=digest_token(token),
            user_id=user_id,
            created_at=now,
            expires_at=now + LIFETIME,
            browser=browser[:500],
        )
    )
    session.execute(delete(sessions).where(sessions.c.expires_at < now))


def find_session_user(session: Session, token: str, *, now: datetime) -> UUID | None:
    return session.scalar(
        select(sessions.c.user_id).where(sessions.c.digest == digest_token(token), sessions.c.expires_at > now)
    )


def end_session(session: Session, token: str) -> None:
    session.execute(delete(sessions).where(sessions.c.digest == digest_token(token)))
