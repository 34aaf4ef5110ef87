"""Sign-ins that have been begun at a provider and are not back yet: each can be ended once, by the browser that began it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Column, Table, Text, Uuid, delete, func, insert, select
from sqlalchemy.orm import Session

from domain.errors import TooManyTries
from service.access.tokens import digest_token
from service.database import metadata
from service.read_models.columns import Moment

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("state_digest", Text, primary_key=True),
    Column("browser_digest", Text, nullable=False),
    Column("provider_id", Uuid, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

LIFETIME = timedelta(minutes=10)
MAX_OPEN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    nonce: str
    verifier: str
    redirect_uri: str


def begin_attempt(session: Session, attempt: OpenAttempt, *, provider_id: UUID, state: str, browser: str) -> None:
    """state, browser: random, kept as digests. Raises TooManyTries when thousands have been begun and not ended."""
    now = datetime.now(UTC)
    session.execute(delete(sign_in_attempts).where(sign_in_attempts.c.expires_at < now))
    if (session.scalar(select(func.count()).select_from(sign_in_attempts)) or 0) >= MAX_OPEN:
        raise TooManyTries("too many people are signing in at this moment; try again in a few minutes")
    session.execute(
        insert(sign_in_attempts).values(
            state_digest=digest_token(state),
            browser_digest=digest_token(browser),
            provider_id=provider_id,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            redirect_uri=attempt.redirect_uri,
            expires_at=now + LIFETIME,
        )
    )


def end_attempt(session: Session, *, provider_id: UUID, state: str, browser: str) -> OpenAttempt | None:
    """What was begun with this state, which is gone then; None when it was not, not here, or too long ago."""
    row = session.execute(
        delete(sign_in_attempts)
        .where(
            sign_in_attempts.c.state_digest == digest_token(state),
            sign_in_attempts.c.browser_digest == digest_token(browser),
            sign_in_attempts.c.provider_id == provider_id,
        )
        .returning(sign_in_attempts)
    ).first()
    if row is None or row.expires_at < datetime.now(UTC):
        return None
    return OpenAttempt(nonce=row.nonce, verifier=row.verifier, redirect_uri=row.redirect_uri)
