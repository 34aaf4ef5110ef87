"""Setting up, signing in and out, and API keys: the events of users together with their secrets, in one transaction."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from domain.access import PERMISSIONS, Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotFound, WrongCredentials, WrongState
from service.access.api_keys import SHOWN_CHARACTERS, ApiKeyRow, find_api_key, mark_revoked, write_api_key
from service.access.passwords import check_password_rules, digest_password, find_digest, is_right, write_digest
from service.access.sessions import begin_session, end_session
from service.access.tokens import new_api_key, new_session_token
from service.access.viewer import Viewer
from service.database import Database
from service.read_models.user import find_login, name_person, num_users

NOBODY = UUID(int=0)
MAX_KEY_NAME_LENGTH = 100


def is_setup_required(database: Database) -> bool:
    with database.reading() as session:
        return num_users(session) == 0


def check_setup_token(given: str | None, *, expected: str | None) -> None:
    """Raises InvalidInput."""
    if expected is not None and not secrets.compare_digest((given or "").strip(), expected):
        raise InvalidInput(
            "that is not the setup token; the server printed it on its terminal when it started", path=("setupToken",)
        )


def complete_setup(application: SimpleTuner, *, email: str, username: str, password: str, address: str) -> UUID:
    """Create the first administrator. Raises WrongState when there is one, InvalidInput."""
    check_name_and_email(username=username, email=email)
    check_password_rules(password)
    digest = digest_password(password)

    def along(session: Session, user_id: UUID) -> None:
        if num_users(session) > 1:
            raise WrongState("there is an administrator already; sign in")
        name_person(session, user_id, username=username.strip(), email=email.strip())
        write_digest(session, user_id, digest)

    actor = Actor(user_id=None, via="setup", address=address)
    return application.register_user(actor, levels=["admin"], along=along)


def sign_in(database: Database, *, login: str, password: str, browser: str) -> str:
    """The token of a new session. Raises WrongCredentials, which does not tell whether there is such a user."""
    with database.reading() as session:
        user = find_login(session, login)
        digest = find_digest(session, user.id if user else NOBODY)
    if not is_right(digest, password) or user is None:
        raise WrongCredentials("that name or password is wrong", path=("password",))
    return open_session(database, user_id=user.id, browser=browser)


def open_session(database: Database, *, user_id: UUID, browser: str) -> str:
    token = new_session_token()
    with database.writing() as session:
        begin_session(session, token, user_id=user_id, browser=browser, now=datetime.now(UTC))
    return token


def sign_out(database: Database, token: str) -> None:
    with database.writing() as session:
        end_session(session, token)


def create_api_key(
    application: SimpleTuner,
    viewer: Viewer,
    *,
    name: str,
    permissions: Sequence[str] | None,
    expires_at: datetime | None,
) -> tuple[str, ApiKeyRow]:
    """The secret, which is shown only now, and the key. Raises InvalidInput."""
    if not 1 <= len(name.strip()) <= MAX_KEY_NAME_LENGTH:
        raise InvalidInput(f"the name of a key has 1 to {MAX_KEY_NAME_LENGTH} characters", path=("name",))
    unknown = [each for each in permissions or () if each not in PERMISSIONS]
    if unknown:
        raise InvalidInput(f"there is no permission {unknown[0]!r}", path=("permissions",))
    beyond = [each for each in permissions or () if each not in viewer.permissions]
    if beyond:
        raise InvalidInput(f"you cannot give a key {beyond[0]}, which you do not have", path=("permissions",))
    now = datetime.now(UTC)
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"expiresAt is {expires_at.isoformat()}, which is over; choose a later time", path=("expiresAt",)
        )
    secret = new_api_key()
    key = ApiKeyRow(
        id=uuid4(),
        user_id=viewer.user.id,
        name=name.strip(),
        prefix=secret[:SHOWN_CHARACTERS],
        permissions=None if permissions is None else tuple(permissions),
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    application.create_api_key(
        viewer.actor, user_id=viewer.user.id, key_id=key.id, along=lambda session: write_api_key(session, key, secret)
    )
    return secret, key


def revoke_api_key(application: SimpleTuner, database: Database, viewer: Viewer, key_id: UUID) -> ApiKeyRow:
    """Raises NotFound, also for the key of somebody else."""
    with database.reading() as session:
        key = find_api_key(session, key_id)
    if key.user_id != viewer.user.id:
        raise NotFound("there is no API key with that id", path=("id",))
    now = datetime.now(UTC)
    application.revoke_api_key(
        viewer.actor, user_id=key.user_id, key_id=key_id, along=lambda session: mark_revoked(session, key_id, now=now)
    )
    with database.reading() as session:
        return find_api_key(session, key_id)


def check_name_and_email(*, username: str, email: str) -> None:
    """Raises InvalidInput."""
    if not 1 <= len(username.strip()) <= 60 or "@" in username:
        raise InvalidInput("a username has 1 to 60 characters and no @", path=("username",))
    local, _, domain = email.strip().partition("@")
    if not local or "." not in domain or len(email) > 254 or " " in email.strip():
        raise InvalidInput(f"{email!r} is no e-mail address", path=("email",))
