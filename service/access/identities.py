"""Who of a provider is which user; not made from events, so that it can be erased with the person."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Column, Table, Text, Uuid, delete, insert, select
from sqlalchemy.orm import Session

from domain.errors import WrongState
from service.database import metadata
from service.read_models.columns import Moment

identities = Table(
    "identities",
    metadata,
    Column("provider_id", Uuid, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("user_id", Uuid, nullable=False, index=True),
    Column("email", Text, nullable=False),
    Column("linked_at", Moment, nullable=False),
)
"""email: what the provider said when it was linked."""


class LinkedMeanwhile(WrongState):
    """Another sign-in of the same person came first."""

    def __init__(self) -> None:
        super().__init__("you are signing in elsewhere for the first time, too; try again")


def find_linked_user(session: Session, provider_id: UUID, subject: str) -> UUID | None:
    return session.scalar(
        select(identities.c.user_id).where(identities.c.provider_id == provider_id, identities.c.subject == subject)
    )


def users_linked_at(session: Session, provider_id: UUID) -> list[UUID]:
    return list(session.scalars(select(identities.c.user_id).where(identities.c.provider_id == provider_id).distinct()))


def write_identity(session: Session, *, provider_id: UUID, subject: str, user_id: UUID, email: str) -> None:
    """Raises LinkedMeanwhile."""
    if find_linked_user(session, provider_id, subject) is not None:
        raise LinkedMeanwhile
    session.execute(
        insert(identities).values(
            provider_id=provider_id, subject=subject, user_id=user_id, email=email, linked_at=datetime.now(UTC)
        )
    )


def forget_identities_at(session: Session, provider_id: UUID) -> None:
    session.execute(delete(identities).where(identities.c.provider_id == provider_id))
