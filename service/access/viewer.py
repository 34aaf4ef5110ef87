"""The viewer: who is behind a request, by session cookie or by API key, and what that allows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from domain.access import ADMIN, Actor, Rights, effective_permissions, expand
from service.access.api_keys import ApiKeyRow, find_secret, is_use_due, mark_used
from service.access.sessions import SessionRow, find_session, is_sight_due, mark_seen
from service.database import Database
from service.read_models.policy import LevelRow, list_levels, list_rules
from service.read_models.user import UserRow, find_user

SHORT_ID = 8


@dataclass(frozen=True, slots=True)
class Viewer:
    """session_id: when it came by a session; key: when it came by a key. levels: those of the user.

    expires_at: when the session or the key ends by itself; None for never.
    """

    user: UserRow
    levels: tuple[LevelRow, ...]
    rights: Rights
    actor: Actor
    expires_at: datetime | None
    session_id: UUID | None = None
    key: ApiKeyRow | None = None

    @property
    def permissions(self) -> frozenset[str]:
        return self.rights.permissions

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows to say who it is; kept while a websocket is open, to ask again whether it still counts."""

    kind: Literal["session", "key"]
    secret: str
    address: str


def view(database: Database, credential: Credential) -> Viewer | None:
    """Who it is now; None when the credential is wrong, ended, expired or revoked, or its user may not sign in."""
    if credential.kind == "session":
        return _view_by_session(database, credential)
    return _view_by_api_key(database, credential)


def _view_by_session(database: Database, credential: Credential) -> Viewer | None:
    now = datetime.now(UTC)
    with database.reading() as session:
        found = find_session(session, credential.secret, now=now)
        viewer = _make(session, found.user_id, credential, found) if found else None
    if viewer and found and is_sight_due(found, now=now):
        with database.writing() as session:
            mark_seen(session, found.id, now=now)
    return viewer


def _view_by_api_key(database: Database, credential: Credential) -> Viewer | None:
    now = datetime.now(UTC)
    with database.reading() as session:
        key = find_secret(session, credential.secret, now=now)
        viewer = _make(session, key.user_id, credential, key) if key else None
    if viewer and key and is_use_due(key, now=now):
        with database.writing() as session:
            mark_used(session, key.id, now=now)
    return viewer


def _make(session: Session, user_id: UUID, credential: Credential, by: SessionRow | ApiKeyRow) -> Viewer | None:
    user = find_user(session, user_id)
    if user is None or not user.may_sign_in:
        return None
    rights = rights_of(session, user)
    levels = levels_of(session, user)
    if isinstance(by, SessionRow):
        actor = Actor(user_id=user.id, via=via_session(by.id), address=credential.address)
        return Viewer(user, levels, rights, actor, by.expires_at, session_id=by.id)
    actor = Actor(user_id=user.id, via=f"key {by.prefix}", address=credential.address)
    return Viewer(user, levels, narrowed_by_key(rights, by), actor, by.expires_at, key=by)


def via_session(session_id: UUID) -> str:
    return f"session {session_id.hex[:SHORT_ID]}"


def levels_of(session: Session, user: UserRow) -> tuple[LevelRow, ...]:
    return tuple(level for level in list_levels(session) if level.name in user.levels)


def rights_of(session: Session, user: UserRow) -> Rights:
    permissions = effective_permissions(
        (level.permissions for level in levels_of(session, user)), grants=user.grants, denials=user.denials
    )
    rules = () if ADMIN in user.levels else tuple(row.rule for row in list_rules(session) if row.level in user.levels)
    return Rights(user.id, permissions, rules)


def narrowed_by_key(rights: Rights, key: ApiKeyRow) -> Rights:
    """A key may never do more than its user may now, and nothing without api.access."""
    if "api.access" not in rights.permissions:
        return Rights(rights.user_id, frozenset())
    granted = rights.permissions if key.permissions is None else rights.permissions & expand(key.permissions)
    return Rights(rights.user_id, granted, rights.rules)
