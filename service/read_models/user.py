"""Users as they are listed and signed in; names and addresses stand in a table of their own, outside the events."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.access import ADMIN
from domain.aggregate import Noun
from domain.errors import NameTaken
from domain.user import User
from service.database import constraint_of, metadata
from service.read_models.columns import Big, Json, Moment
from service.read_models.pages import Page, read_page

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("levels", Json, nullable=False),
    Column("grants", Json, nullable=False),
    Column("denials", Json, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("waiting", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
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
    Column("is_email_vouched_for", Boolean, nullable=False),
)
"""What names a person; not made from events, so that it can be erased. Keys are case-folded.

is_email_vouched_for: an administrator or an identity provider says that the address is the person's. Who only claims an
address must not be taken for its owner.
"""

TABLES = (users,)
DELETED_USER = "deleted user"


@dataclass(frozen=True, slots=True)
class UserRow:
    """A deleted user has no name and no address any more; `username` says so."""

    id: UUID
    username: str
    email: str
    levels: tuple[str, ...]
    grants: tuple[str, ...]
    denials: tuple[str, ...]
    disabled: bool
    waiting: bool
    deleted: bool
    revision: int
    created_at: datetime
    is_email_vouched_for: bool

    @property
    def may_sign_in(self) -> bool:
        return not (self.disabled or self.waiting or self.deleted)


def project(session: Session, event: Noun.Event, position: int) -> None:
    match event:
        case User.Registered():
            session.execute(
                insert(users).values(
                    id=event.originator_id,
                    levels=event.levels,
                    grants=[],
                    denials=[],
                    disabled=False,
                    waiting=False,
                    deleted=False,
                    revision=1,
                    created_at=event.timestamp,
                    position=position,
                )
            )
        case User.ApprovalAwaited():
            _update(session, event, waiting=True)
        case User.Approved():
            _update(session, event, waiting=False, revision=users.c.revision + 1)
        case User.RightsChanged():
            changed = {change["key"]: change["after"] for change in event.changes}
            _update(session, event, revision=users.c.revision + 1, **changed)
        case User.ProfileChanged():
            _update(session, event, revision=users.c.revision + 1)
        case User.Deleted():
            _update(session, event, deleted=True)


def _update(session: Session, event: Noun.Event, **values: Any) -> None:
    session.execute(update(users).where(users.c.id == event.originator_id).values(**values))


def name_person(session: Session, user_id: UUID, *, username: str, email: str, is_email_vouched_for: bool) -> None:
    """Give a user a name and an address, or others. Raises NameTaken."""
    values = {
        "is_email_vouched_for": is_email_vouched_for,
        "username": username,
        "username_key": fold(username),
        "email": email,
        "email_key": fold(email),
    }
    try:
        if session.execute(update(people).where(people.c.user_id == user_id).values(**values)).rowcount == 0:  # type: ignore[attr-defined]
            session.execute(insert(people).values(user_id=user_id, **values))
    except IntegrityError as error:
        field = "email" if "email" in constraint_of(error) else "username"
        raise NameTaken(f"that {field} is in use already; choose another", path=(field,)) from error


def fold(name: str) -> str:
    """What two spellings of one name have in common, so that nobody can look like somebody else by the width of letters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def vouch_for_email(session: Session, user_id: UUID) -> None:
    session.execute(update(people).where(people.c.user_id == user_id).values(is_email_vouched_for=True))


def forget_person(session: Session, user_id: UUID) -> None:
    session.execute(delete(people).where(people.c.user_id == user_id))


def num_users(session: Session) -> int:
    """Deleted ones count, too: the first start comes but once."""
    return session.scalar(select(func.count()).select_from(users)) or 0


def num_administrators(session: Session) -> int:
    """Those of whom there must always be one: who can sign in, has the level, and was denied nothing."""
    rows = session.execute(
        select(users.c.levels, users.c.denials).where(~users.c.disabled, ~users.c.waiting, ~users.c.deleted)
    )
    return sum(1 for row in rows if ADMIN in row.levels and not row.denials)


def users_with_level(session: Session, level: str) -> list[UserRow]:
    rows = session.execute(_joined().where(~users.c.deleted).order_by(users.c.position))
    return [_make(row) for row in rows if level in row.levels]


def list_users(session: Session, *, first: int, after: int | None, search: str | None = None) -> Page[UserRow]:
    """Those that are not deleted, newest first."""
    where: list[ColumnElement[bool]] = [~users.c.deleted]
    if search:
        key = fold(search)
        found = or_(
            people.c.username_key.contains(key, autoescape=True), people.c.email_key.contains(key, autoescape=True)
        )
        where.append(users.c.id.in_(select(people.c.user_id).where(found)))
    page = read_page(
        session, users, order=users.c.position, where=where, first=first, after=after, make=lambda row: row
    )
    named = find_users(session, [row.id for _, row in page.items])
    items = [(position, user) for (position, _), user in zip(page.items, named, strict=True) if user is not None]
    return Page(items=items, has_next=page.has_next, has_previous=page.has_previous, total=page.total)


def find_user(session: Session, user_id: UUID) -> UserRow | None:
    return _one(session, users.c.id == user_id)


def find_users(session: Session, ids: Sequence[UUID]) -> list[UserRow | None]:
    """In the order asked for, with None for those that do not exist."""
    rows = session.execute(_joined().where(users.c.id.in_(ids)))
    by_id = {row.id: _make(row) for row in rows}
    return [by_id.get(user_id) for user_id in ids]


def find_login(session: Session, login: str) -> UserRow | None:
    """By username or e-mail, whatever the case."""
    key = fold(login.strip())
    return _one(session, or_(people.c.username_key == key, people.c.email_key == key))


def _one(session: Session, condition: ColumnElement[bool]) -> UserRow | None:
    row = session.execute(_joined().where(condition)).first()
    return None if row is None else _make(row)


def _joined() -> Select[Any]:
    named = (people.c.username, people.c.email, people.c.is_email_vouched_for)
    return select(users, *named).outerjoin(people, people.c.user_id == users.c.id)


def _make(row: Row[Any]) -> UserRow:
    return UserRow(
        id=row.id,
        username=row.username or DELETED_USER,
        email=row.email or "",
        levels=tuple(row.levels),
        grants=tuple(row.grants),
        denials=tuple(row.denials),
        disabled=row.disabled,
        waiting=row.waiting,
        deleted=row.deleted,
        revision=row.revision,
        created_at=row.created_at,
        is_email_vouched_for=bool(row.is_email_vouched_for),
    )
