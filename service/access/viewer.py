"""The viewer: who is behind a request, by session cookie or by API key, and what that allows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from domain.access import LEVELS, PERMISSIONS, Actor
from service.access.api_keys import ApiKeyRow, find_secret, is_use_due, mark_used
from service.access.sessions import find_session_user
from service.database import Database
from service.read_models.user import UserRow, find_user


@dataclass(frozen=True, slots=True)
class Viewer:
    user: UserRow
    permissions: frozenset[str]
    actor: Actor


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows to say who it is; kept while a websocket is open, to ask again whether it still counts."""

    kind: Literal["session", "key"]
    secret: str
    address: str


def view(database: Database, credential: Credential) -> Viewer | None:
    """Who it is now; None when the credential is wrong, ended, expired or revoked."""
    if credential.kind == "session":
        return _view_by_session(database, credential)
    return _view_by_api_key(database, credential)


def _view_by_session(database: Database, credential: Credential) -> Viewer | None:
    with database.reading() as session:
        user_id = find_session_user(session, credential.secret, now=datetime.now(UTC))
        user = find_user(session, user_id) if user_id else None
    if user is None:
        return None
    return _viewer(user, permissions_of(user), via="session", address=credential.address)


def _view_by_api_key(database: Database, credential: Credential) -> Viewer | None:
    now = datetime.now(UTC)
    with database.reading() as session:
        key = find_secret(session, credential.secret, now=now)
        user = find_user(session, key.user_id) if key else None
    if key is None or user is None:
        return None
    if is_use_due(key, now=now):
        with database.writing() as session:
            mark_used(session, key.id, now=now)
    return _viewer(user, _allowed(key, user), via=f"key {key.prefix}", address=credential.address)


def permissions_of(user: UserRow) -> frozenset[str]:
    return frozenset().union(*(LEVELS.get(level, frozenset()) for level in user.levels))


def _allowed(key: ApiKeyRow, user: UserRow) -> frozenset[str]:
    granted = frozenset(PERMISSIONS) if key.permissions is None else frozenset(key.permissions)
    permissions = granted & permissions_of(user)
    return permissions if "api.access" in permissions_of(user) else frozenset()


def _viewer(user: UserRow, permissions: frozenset[str], *, via: str, address: str) -> Viewer:
    return Viewer(user, permissions, Actor(user_id=user.id, via=via, address=address))
