"""Users as they are listed and signed in; names and addresses stand in a table of their own, outside the events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Table, Text, Uuid, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.aggregate import Noun
from domain.errors import NameTaken
from domain.user import User
from service.database import constraint_of, metadata
from service.read_models.columns import Big, Json, Moment

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("levels", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("position", Big, nullable=False, unique=True),
)

people = Table(
    "people",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),
)
"""What names a person; not made from events, so that it can be erased. Keys are case-folded."""

TABLES = (users,)


@dataclass(frozen=True, slots=True)
class UserRow:
    id: UUID
    username: str
    email: str
    levels: tuple[str, ...]
    created_at: datetime


def project(session: Session, event: Noun.Event, position: int) -> None:
    if isinstance(event, User.Registered):
        session.execute(
            insert(users).values(
                id=event.originator_id, levels=event.levels, created_at=event.timestamp, position=position
            )
        )


def name_person(session: Session, user_id: UUID, *, username: str, email: str) -> None:
    """Raises NameTaken."""
    try:
        session.execute(
            insert(people).values(
                user_id=user_id,
                username=username,
                username_key=username.casefold(),
                email=email,
                email_key=email.casefold(),
            )
        )
    except IntegrityError as error:
        field = "email" if "email" in constraint_of(error) else "username"
        raise NameTaken(f"that {field} is in use already; choose another", path=(field,)) from error


def num_users(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(users)) or 0


def find_user(session: Session, user_id: UUID) -> UserRow | None:
    return _one(session, users.c.id == user_id)


def find_users(session: Session, ids: Sequence[UUID]) -> list[UserRow | None]:
    """In the order asked for, with None for those that do not exist."""
    rows = session.execute(_joined().where(users.c.id.in_(ids)))
    by_id = {row.id: _make(row) for row in rows}
    return [by_id.get(user_id) for user_id in ids]


def find_login(session: Session, login: str) -> UserRow | None:
    """By username or e-mail, whatever the case."""
    key = login.strip().casefold()
    return _one(session, or_(people.c.username_key == key, people.c.email_key == key))


def _one(session: Session, condition: ColumnElement[bool]) -> UserRow | None:
    row = session.execute(_joined().where(condition)).first()
    return None if row is None else _make(row)


def _joined() -> Select[Any]:
    return select(users, people.c.username, people.c.email).join(people, people.c.user_id == users.c.id)


def _make(row: Row[Any]) -> UserRow:
    return UserRow(
        id=row.id, username=row.username, email=row.email, levels=tuple(row.levels), created_at=row.created_at
    )
