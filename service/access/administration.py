"""What administrators do with the accounts of others. Nobody can give more than they have, nor touch who has more.

reach: the permissions of who does it; the command line reaches everything.
"""

import secrets
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from domain.access import PERMISSIONS, Actor, check_permissions, effective_permissions
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotAllowed, WrongState
from domain.user import User
from service.access.accounts import check_name_and_email, new_names
from service.access.api_keys import api_keys
from service.access.identities import identities
from service.access.passwords import check_password_rules, digest_password, passwords, write_digest
from service.access.sessions import end_sessions_of
from service.database import Database
from service.idempotency import idempotency_keys
from service.read_models.user import forget_person, name_person, num_administrators, vouch_for_email
from service.secrets.listing import erase_secrets_of

ALL = frozenset(PERMISSIONS)
GENERATED_BYTES = 12


def create_user(
    application: SimpleTuner,
    actor: Actor,
    *,
    email: str,
    username: str,
    password: str,
    levels: Sequence[str],
    reach: frozenset[str] = ALL,
) -> UUID:
    """Raises InvalidInput, NameTaken, NotAllowed."""
    check_name_and_email(username=username, email=email)
    check_password_rules(password, names=(username, email))
    if not levels:
        raise InvalidInput("a user has at least one level", path=("levels",))
    application.policy().check_levels(levels)
    check_reach(application, reach, levels=levels)
    digest = digest_password(password)

    def along(session: Session, user_id: UUID) -> None:
        name_person(session, user_id, username=username.strip(), email=email.strip(), is_email_vouched_for=True)
        write_digest(session, user_id, digest)

    return application.register_user(actor, levels=levels, along=along)


def change_user(
    application: SimpleTuner,
    database: Database,
    actor: Actor,
    user_id: UUID,
    *,
    username: str | None = None,
    email: str | None = None,
    levels: Sequence[str] | None = None,
    grants: Collection[str] | None = None,
    denials: Collection[str] | None = None,
    disabled: bool | None = None,
    expected_revision: int | None = None,
    reach: frozenset[str] = ALL,
) -> None:
    """All at once; None keeps what is.

    Raises InvalidInput, NameTaken, NotAllowed, StaleVersion, and WrongState for the last administrator.
    """
    check_permissions(grants or (), path=("grants",))
    check_permissions(denials or (), path=("denials",))
    if levels is not None:
        if not levels:
            raise InvalidInput("a user has at least one level; to keep somebody out, disable them", path=("levels",))
        application.policy().check_levels(levels)
    names = new_names(database, user_id, username=username, email=email)

    def command(user: User) -> None:
        user.check_revision(expected_revision)
        check_reach_over(application, reach, user)
        user.change_rights(actor, levels=levels, grants=grants, denials=denials, disabled=disabled)
        check_reach_over(application, reach, user)
        user.change_profile(actor, fields=names.changed)

    def along(session: Session) -> None:
        check_administrator_remains(session)
        if names.changed:
            name_person(
                session,
                user_id,
                username=names.username,
                email=names.email,
                is_email_vouched_for=names.was_vouched_for or "email" in names.changed,
            )
        if disabled:
            end_sessions_of(session, user_id)

    application.change_user(user_id, command, along=along)


def approve_user(application: SimpleTuner, actor: Actor, user_id: UUID, *, reach: frozenset[str] = ALL) -> None:
    """Raises NotFound, NotAllowed, WrongState."""

    def command(user: User) -> None:
        check_reach_over(application, reach, user)
        user.approve(actor)

    application.change_user(user_id, command, along=lambda session: vouch_for_email(session, user_id))


def reset_password(
    application: SimpleTuner,
    database: Database,
    actor: Actor,
    user_id: UUID,
    *,
    password: str | None,
    reach: frozenset[str] = ALL,
) -> str:
    """The new password, made up when none is given. All sessions of the user end. Raises InvalidInput, NotAllowed."""
    names = new_names(database, user_id)
    new = secrets.token_urlsafe(GENERATED_BYTES) if password is None else password
    check_password_rules(new, names=(names.username, names.email))
    digest = digest_password(new)

    def command(user: User) -> None:
        check_reach_over(application, reach, user)
        user.change_password(actor)

    def along(session: Session) -> None:
        write_digest(session, user_id, digest)
        end_sessions_of(session, user_id)

    application.change_user(user_id, command, along=along)
    return new


def delete_user(
    application: SimpleTuner,
    actor: Actor,
    user_id: UUID,
    *,
    expected_revision: int | None = None,
    reach: frozenset[str] = ALL,
) -> None:
    """Their name, address, password, sessions, keys and secrets are erased; what they did stays, by a deleted user."""

    def command(user: User) -> None:
        check_reach_over(application, reach, user)
        user.delete(actor, expected_revision=expected_revision)

    def along(session: Session) -> None:
        check_administrator_remains(session)
        erase_person(session, user_id)

    application.change_user(user_id, command, along=along)


def erase_person(session: Session, user_id: UUID) -> None:
    """Everything that names a person or opens their account."""
    forget_person(session, user_id)
    end_sessions_of(session, user_id)
    erase_secrets_of(session, user_id)
    for table in (passwords, api_keys, identities, idempotency_keys):
        session.execute(delete(table).where(table.c.user_id == user_id))


def check_administrator_remains(session: Session) -> None:
    """Raises WrongState. The events are written already, and nobody else writes meanwhile."""
    if num_administrators(session) == 0:
        raise WrongState("this is the last administrator; make somebody else one first", path=("id",))


def check_reach_over(application: SimpleTuner, reach: frozenset[str], user: User) -> None:
    """Raises NotAllowed when the user has more than who wants to change them."""
    check_reach(application, reach, levels=user.levels, grants=user.grants, denials=user.denials)


def check_reach(
    application: SimpleTuner,
    reach: frozenset[str],
    *,
    levels: Sequence[str],
    grants: Collection[str] = (),
    denials: Collection[str] = (),
) -> None:
    policy = application.policy()
    reached = effective_permissions((policy.permissions_of(level) for level in levels), grants=grants, denials=denials)
    beyond = sorted(reached - reach)
    if beyond:
        raise NotAllowed(f"this reaches {beyond[0]}, which you do not have yourself")
