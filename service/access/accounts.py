"""One's own account: setting up, registering, signing in and out, and the password.

The events of users are saved together with their secrets, in one transaction.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from domain.access import ADMIN, Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotAllowed, NotFound, WrongCredentials, WrongState
from service.access.passwords import check_password_rules, digest_password, find_digest, is_right, write_digest
from service.access.sessions import begin_session, end_session, end_sessions_of, find_session_by_id
from service.access.tokens import new_session_token
from service.access.viewer import Viewer, via_session
from service.database import Database
from service.read_models.policy import find_registration
from service.read_models.user import UserRow, find_login, find_user, name_person, num_users

NOBODY = UUID(int=0)
SETUP_IS_DONE = "there is an administrator already; sign in"
MAX_USERNAME = 60
MAX_EMAIL = 254


def is_setup_required(database: Database) -> bool:
    with database.reading() as session:
        return num_users(session) == 0


def check_setup_token(given: str | None, *, expected: str | None) -> None:
    """Raises InvalidInput."""
    if expected is not None and not secrets.compare_digest((given or "").strip().encode(), expected.encode()):
        raise InvalidInput(
            "that is not the setup token; the server printed it on its terminal when it started", path=("setupToken",)
        )


def complete_setup(
    application: SimpleTuner, database: Database, *, email: str, username: str, password: str, address: str
) -> UserRow:
    """Create the first administrator. Raises WrongState when there is one, InvalidInput."""
    if not is_setup_required(database):
        raise WrongState(SETUP_IS_DONE)
    check_name_and_email(username=username, email=email)
    check_password_rules(password, names=(username, email))
    digest = digest_password(password)

    def along(session: Session, user_id: UUID) -> None:
        if num_users(session) > 1:
            raise WrongState(SETUP_IS_DONE)
        name_person(session, user_id, username=username.strip(), email=email.strip(), is_email_vouched_for=True)
        write_digest(session, user_id, digest)

    actor = Actor(user_id=None, via="setup", address=address)
    return _user(database, application.register_user(actor, levels=[ADMIN], along=along))


def register(
    application: SimpleTuner, database: Database, *, email: str, username: str, password: str, address: str
) -> UserRow:
    """The new user, who may have to wait until somebody approves it. Raises NotAllowed, InvalidInput, NameTaken."""
    with database.reading() as session:
        registration = find_registration(session)
    if not registration.open:
        raise NotAllowed("registration is closed here; ask an administrator for an account")
    check_name_and_email(username=username, email=email)
    check_email_domain(email, registration.email_domains)
    check_password_rules(password, names=(username, email))
    digest = digest_password(password)

    def along(session: Session, user_id: UUID) -> None:
        name_person(session, user_id, username=username.strip(), email=email.strip(), is_email_vouched_for=False)
        write_digest(session, user_id, digest)

    user_id = application.register_user(
        Actor(user_id=None, via="registration", address=address),
        levels=registration.default_levels,
        is_waiting=registration.approval,
        along=along,
    )
    return _user(database, user_id)


def _user(database: Database, user_id: UUID) -> UserRow:
    with database.reading() as session:
        row = find_user(session, user_id)
    assert row is not None
    return row


def check_password(database: Database, *, login: str, password: str) -> UserRow:
    """Raises WrongCredentials, which does not tell whether there is such a user, and takes as long in both cases."""
    with database.reading() as session:
        user = find_login(session, login)
        digest = find_digest(session, user.id if user else NOBODY)
    if not is_right(digest, password) or user is None:
        raise WrongCredentials("that name or password is wrong", path=("password",))
    return user


def open_session(application: SimpleTuner, user: UserRow, *, user_agent: str, address: str, through: str) -> str:
    """The token of a new session. through: password, or the id of an identity provider. Raises WrongState."""
    check_may_sign_in(user)
    token, session_id, now = new_session_token(), uuid4(), datetime.now(UTC)
    actor = Actor(user_id=user.id, via=via_session(session_id), address=address)
    application.change_user(
        user.id,
        lambda each: each.sign_in(actor, session_id=session_id, through=through),
        along=lambda session: begin_session(
            session,
            token,
            session_id=session_id,
            user_id=user.id,
            user_agent=user_agent,
            address=address,
            now=now,
        ),
    )
    return token


def check_may_sign_in(user: UserRow) -> None:
    """For who has shown that it is their account. Raises WrongState."""
    if user.waiting:
        raise WrongState("this account waits for the approval of an administrator", path=("login",))
    if not user.may_sign_in:
        raise WrongState("this account is disabled; ask an administrator", path=("login",))


def sign_out(application: SimpleTuner, viewer: Viewer) -> None:
    """Ends the session that the request came by, if it came by one."""
    session_id = viewer.session_id
    if session_id is None:
        return
    application.change_user(
        viewer.user.id,
        lambda user: user.sign_out(viewer.actor, session_id=session_id),
        along=lambda session: end_session(session, session_id),
    )


def revoke_session(application: SimpleTuner, database: Database, viewer: Viewer, session_id: UUID) -> None:
    """One's own, or with admin.users anybody's. Raises NotFound."""
    with database.reading() as session:
        found = find_session_by_id(session, session_id)
    if found.user_id != viewer.user.id and "admin.users" not in viewer.permissions:
        raise NotFound("there is no session with that id, or it has ended", path=("id",))
    application.change_user(
        found.user_id,
        lambda user: user.revoke_session(viewer.actor, session_id=session_id),
        along=lambda session: end_session(session, session_id),
    )


def change_password(application: SimpleTuner, database: Database, viewer: Viewer, *, current: str, new: str) -> None:
    """All other sessions of the user end. Raises WrongCredentials, InvalidInput."""
    with database.reading() as session:
        digest = find_digest(session, viewer.user.id)
    if not is_right(digest, current):
        raise WrongCredentials("that is not your present password", path=("currentPassword",))
    check_password_rules(new, names=(viewer.user.username, viewer.user.email), path="newPassword")
    new_digest = digest_password(new)

    def along(session: Session) -> None:
        write_digest(session, viewer.user.id, new_digest)
        end_sessions_of(session, viewer.user.id, but=viewer.session_id)

    application.change_user(viewer.user.id, lambda user: user.change_password(viewer.actor), along=along)


@dataclass(frozen=True, slots=True)
class Names:
    """changed: which of username and email are others than before. was_vouched_for: the address that was."""

    username: str
    email: str
    changed: tuple[str, ...]
    was_vouched_for: bool


def new_names(database: Database, user_id: UUID, *, username: str | None = None, email: str | None = None) -> Names:
    """What a person will be called; None keeps what is. Raises NotFound, InvalidInput."""
    with database.reading() as session:
        row = find_user(session, user_id)
    if row is None or row.deleted:
        raise NotFound("there is no user with that id", path=("id",))
    new_username = row.username if username is None else username.strip()
    new_email = row.email if email is None else email.strip()
    check_name_and_email(username=new_username, email=new_email)
    named = {"username": (row.username, new_username), "email": (row.email, new_email)}
    changed = tuple(field for field, (before, after) in named.items() if before != after)
    return Names(new_username, new_email, changed, row.is_email_vouched_for)


def change_username(application: SimpleTuner, database: Database, viewer: Viewer, *, username: str) -> None:
    """The address is for administrators to change: who could claim any would be taken for its owner.

    Raises InvalidInput, NameTaken.
    """
    names = new_names(database, viewer.user.id, username=username)
    application.change_user(
        viewer.user.id,
        lambda user: user.change_profile(viewer.actor, fields=names.changed),
        along=lambda session: name_person(
            session,
            viewer.user.id,
            username=names.username,
            email=names.email,
            is_email_vouched_for=names.was_vouched_for,
        ),
    )


def check_name_and_email(*, username: str, email: str) -> None:
    """Raises InvalidInput."""
    name = username.strip()
    if not 1 <= len(name) <= MAX_USERNAME or "@" in name or not name.isprintable():
        raise InvalidInput(f"a username has 1 to {MAX_USERNAME} characters and no @", path=("username",))
    local, _, domain = email.strip().partition("@")
    is_address = local and "." in domain and "@" not in domain and len(email) <= MAX_EMAIL
    if not is_address or " " in email.strip() or not email.strip().isprintable():
        raise InvalidInput(f"{email!r:.80} is no e-mail address", path=("email",))


def check_email_domain(email: str, domains: tuple[str, ...]) -> None:
    """Raises InvalidInput."""
    if domains and email.strip().casefold().rpartition("@")[2] not in {domain.casefold() for domain in domains}:
        raise InvalidInput(f"only addresses at {', '.join(domains)} can be used here", path=("email",))
