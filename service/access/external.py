"""From an identity that a provider vouches for to a session of a user.

Known identities belong to their user. Unknown ones are linked to the account with the same e-mail address, when the provider
has verified the address and the account's own address is vouched for; else they become new users, where that is allowed.
"""

import logging
from collections.abc import Collection
from uuid import UUID

from sqlalchemy.orm import Session

from domain.access import ADMIN, LEVELS, Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, WrongState
from domain.sign_in import ExternalIdentity, LdapProvider, OidcProvider
from domain.user import User
from service.access.accounts import (
    MAX_USERNAME,
    check_email_domain,
    check_name_and_email,
    is_setup_required,
    open_session,
)
from service.access.administration import check_administrator_remains
from service.access.identities import LinkedMeanwhile, find_linked_user, write_identity
from service.access.provider_settings import KnownProvider
from service.database import Database
from service.read_models.user import UserRow, find_login, find_user, name_person

log = logging.getLogger(__name__)

SHORT_ID = 8

REASONS = {
    "disabled": "this account is disabled; ask an administrator",
    "waiting": "this account waits for the approval of an administrator",
    "no-account": "there is no account for you here; ask an administrator",
    "no-email": "the provider tells no usable e-mail address of you; ask an administrator",
    "email-taken": "there is an account with your e-mail address, and it is not proven to be yours; ask an administrator",
    "domain": "only verified e-mail addresses of certain domains can be used here; ask an administrator",
}


class NotLetIn(WrongState):
    """Somebody is who they say, and may still not come in; reason: one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason], path=("login",))
        self.reason = reason


def sign_in(
    application: SimpleTuner,
    database: Database,
    known: KnownProvider,
    identity: ExternalIdentity,
    *,
    user_agent: str,
    address: str,
) -> str:
    """The token of a new session. Raises NotLetIn."""
    check_domain(known.provider, identity)
    actor = Actor(user_id=None, via=f"provider {known.id.hex[:SHORT_ID]}", address=address)
    try:
        user = find_or_make_user(application, database, known, identity, actor)
    except LinkedMeanwhile:
        user = find_or_make_user(application, database, known, identity, actor)
    check_let_in(user)
    follow_groups(application, user, known.provider, identity.groups, actor)
    return open_session(application, user, user_agent=user_agent, address=address, through=str(known.id))


def find_or_make_user(
    application: SimpleTuner, database: Database, known: KnownProvider, identity: ExternalIdentity, actor: Actor
) -> UserRow:
    """Raises NotLetIn, LinkedMeanwhile."""
    with database.reading() as session:
        user_id = find_linked_user(session, known.id, identity.subject)
        user = find_user(session, user_id) if user_id else None
        of_address = find_login(session, identity.email) if identity.email and user is None else None
    if user is not None:
        return user
    if of_address is not None:
        return link(application, known, identity, of_address, actor)
    return make_user(application, database, known, identity, actor)


def check_domain(provider: OidcProvider | LdapProvider, identity: ExternalIdentity) -> None:
    if not provider.allowed_domains:
        return
    try:
        check_email_domain(identity.email, provider.allowed_domains)
    except InvalidInput as refusal:
        raise NotLetIn("domain") from refusal
    if not identity.is_email_verified:
        raise NotLetIn("domain")


def check_let_in(user: UserRow) -> None:
    if user.waiting:
        raise NotLetIn("waiting")
    if not user.may_sign_in:
        raise NotLetIn("disabled")


def link(
    application: SimpleTuner, known: KnownProvider, identity: ExternalIdentity, user: UserRow, actor: Actor
) -> UserRow:
    """Both sides must have proven the address, or whoever claims it first would get the account of the other."""
    if not (identity.is_email_verified and user.is_email_vouched_for):
        raise NotLetIn("email-taken")
    check_let_in(user)
    application.change_user(
        user.id,
        lambda each: each.link_identity(actor, provider_id=known.id),
        along=lambda session: write_identity(
            session, provider_id=known.id, subject=identity.subject, user_id=user.id, email=identity.email
        ),
    )
    return user


def make_user(
    application: SimpleTuner, database: Database, known: KnownProvider, identity: ExternalIdentity, actor: Actor
) -> UserRow:
    if not known.provider.auto_create_users or is_setup_required(database):
        raise NotLetIn("no-account")  # the first user is the first administrator, and proves it otherwise
    try:
        check_name_and_email(username="x", email=identity.email)
    except InvalidInput as refusal:
        raise NotLetIn("no-email") from refusal

    def along(session: Session, user_id: UUID) -> None:
        write_identity(session, provider_id=known.id, subject=identity.subject, user_id=user_id, email=identity.email)
        name_person(
            session,
            user_id,
            username=free_username(session, identity),
            email=identity.email,
            is_email_vouched_for=identity.is_email_verified,
        )

    levels = levels_after(application, known.provider, (), identity.groups)
    user_id = application.register_user(actor, levels=sorted(levels), along=along)
    application.change_user(user_id, lambda each: each.link_identity(actor, provider_id=known.id))
    with database.reading() as session:
        user = find_user(session, user_id)
    assert user is not None
    return user


def free_username(session: Session, identity: ExternalIdentity) -> str:
    """What the provider calls them, with a number when somebody else is called so."""
    wanted = identity.username.partition("@")[0].strip() or identity.email.partition("@")[0]
    name = "".join(sign for sign in wanted if sign.isprintable())[: MAX_USERNAME - 6].strip() or "user"
    number = 1
    candidate = name
    while find_login(session, candidate) is not None:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def follow_groups(
    application: SimpleTuner,
    user: UserRow,
    provider: OidcProvider | LdapProvider,
    groups: Collection[str],
    actor: Actor,
) -> None:
    """Levels that the provider's mapping names are given and taken; the last administrator stays one."""
    if set(levels_after(application, provider, user.levels, groups)) == set(user.levels):
        return

    def change(each: User, *, keeps_admin: bool) -> None:
        levels = set(levels_after(application, provider, each.levels, groups))
        if keeps_admin and ADMIN in each.levels:
            levels.add(ADMIN)
        each.change_rights(actor, levels=levels)

    try:
        application.change_user(
            user.id, lambda each: change(each, keeps_admin=False), along=check_administrator_remains
        )
    except WrongState:
        log.warning("user=%s is no administrator by their groups any more, but the last one here, and stays", user.id)
        application.change_user(user.id, lambda each: change(each, keeps_admin=True))


def levels_after(
    application: SimpleTuner,
    provider: OidcProvider | LdapProvider,
    levels: Collection[str],
    groups: Collection[str],
) -> frozenset[str]:
    """The levels that groups bring, and those that no group could bring; the default ones where nothing would be left."""
    existing = {*LEVELS, *application.policy().levels}
    kept = ((set(levels) - provider.managed_levels()) | provider.mapped_levels(groups)) & existing
    return frozenset(kept or set(provider.default_levels) & existing or {"viewer"})
