"""Making and revoking API keys: the event and the digest in one transaction."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from domain.access import Actor, check_permissions, expand
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotFound
from service.access.api_keys import SHOWN_CHARACTERS, ApiKeyRow, find_api_key, mark_revoked, write_api_key
from service.access.tokens import new_api_key
from service.access.viewer import Viewer
from service.database import Database

MAX_NAME_LENGTH = 100
MAX_YEARS = 100


def create_api_key(
    application: SimpleTuner,
    viewer: Viewer,
    *,
    name: str,
    permissions: Sequence[str] | None,
    expires_at: datetime | None,
) -> tuple[str, ApiKeyRow]:
    """A key of the viewer. One that is made with a key can do no more than that, and no longer. Raises InvalidInput."""
    check_permissions(permissions or (), path=("permissions",))
    beyond = sorted(expand(permissions or ()) - viewer.permissions)
    if beyond:
        raise InvalidInput(f"you cannot give a key {beyond[0]}, which you do not have", path=("permissions",))
    maker = viewer.key
    if maker is not None:
        permissions = sorted(viewer.permissions) if permissions is None else permissions
        expires_at = min(filter(None, (maker.expires_at, expires_at)), default=None)
    return write_key(
        application, viewer.actor, viewer.user.id, name=name, permissions=permissions, expires_at=expires_at
    )


def write_key(
    application: SimpleTuner,
    actor: Actor,
    user_id: UUID,
    *,
    name: str,
    permissions: Sequence[str] | None,
    expires_at: datetime | None,
) -> tuple[str, ApiKeyRow]:
    """The secret, which is shown only now, and the key; permissions: None for all that its user has. Raises InvalidInput."""
    if not 1 <= len(name.strip()) <= MAX_NAME_LENGTH:
        raise InvalidInput(f"the name of a key has 1 to {MAX_NAME_LENGTH} characters", path=("name",))
    check_permissions(permissions or (), path=("permissions",))
    now = datetime.now(UTC)
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidInput("expiresAt has no time zone; write it like 2030-01-31T12:00:00Z", path=("expiresAt",))
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"expiresAt is {expires_at.isoformat()}, which is over; choose a later time", path=("expiresAt",)
        )
    if expires_at is not None and expires_at.year > now.year + MAX_YEARS:
        raise InvalidInput(
            f"expiresAt is {expires_at.isoformat()}, which is further away than {MAX_YEARS} years; leave it out for never",
            path=("expiresAt",),
        )
    secret = new_api_key()
    key = ApiKeyRow(
        id=uuid4(),
        user_id=user_id,
        name=name.strip(),
        prefix=secret[:SHOWN_CHARACTERS],
        permissions=None if permissions is None else tuple(permissions),
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    application.change_user(
        user_id,
        lambda user: user.create_api_key(actor, key_id=key.id),
        along=lambda session: write_api_key(session, key, secret),
    )
    return secret, key


def revoke_api_key(application: SimpleTuner, database: Database, viewer: Viewer, key_id: UUID) -> ApiKeyRow:
    """One's own with api.keys.own, anybody's with api.keys.all; to others there is no such key. Raises NotFound."""
    with database.reading() as session:
        key = find_api_key(session, key_id)
    needed = {"api.keys.all"} | ({"api.keys.own"} if key.user_id == viewer.user.id else set())
    if not needed & viewer.permissions:
        raise NotFound("there is no API key with that id", path=("id",))
    return revoke_key(application, database, viewer.actor, key_id)


def revoke_key(application: SimpleTuner, database: Database, actor: Actor, key_id: UUID) -> ApiKeyRow:
    """Raises NotFound."""
    with database.reading() as session:
        key = find_api_key(session, key_id)
    now = datetime.now(UTC)
    application.change_user(
        key.user_id,
        lambda user: user.revoke_api_key(actor, key_id=key_id),
        along=lambda session: mark_revoked(session, key_id, now=now),
    )
    with database.reading() as session:
        return find_api_key(session, key_id)
