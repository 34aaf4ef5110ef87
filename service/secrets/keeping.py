"""Setting, checking and deleting secrets: the event, the sealed value and what is known of it in one transaction."""

import hmac
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from domain.access import Actor
from domain.application import SimpleTuner
from domain.errors import InvalidInput, NotFound
from domain.policy import POLICY_ID
from domain.secret import checked_value, kind_of
from service.database import Database
from service.secrets.checks import check_token
from service.secrets.key import KeyTrouble
from service.secrets.listing import CheckResult, SecretRow, find_secret, note_check, remove_secret, write_secret
from service.secrets.vault import Vault
from service.settings import Settings


def set_secret(
    application: SimpleTuner,
    database: Database,
    vault: Vault,
    settings: Settings,
    actor: Actor,
    *,
    owner_id: UUID,
    name: str,
    value: str,
) -> SecretRow:
    """Asked about before it is stored. Nothing happens when it is what is stored already, but that it is checked again.

    owner_id: a user, or POLICY_ID. Raises InvalidInput for one that is refused where it belongs, KeyTrouble.
    """
    value = checked_value(name, value)
    checked = check_token(settings, kind_of(name), value)
    if checked is not None and checked.result is CheckResult.REFUSED:
        raise InvalidInput(checked.message, path=("value",))
    now = datetime.now(UTC)
    if _is_stored(database, vault, owner_id, name, value):
        if checked is not None:
            with database.writing() as session:
                note_check(session, owner_id, name, checked=checked, now=now)
        return _existing(database, owner_id, name)

    def along(session: Session) -> None:
        vault.put(session, owner_id, name, value)
        write_secret(session, owner_id, name, set_by=actor.user_id, checked=checked, now=now)

    if owner_id == POLICY_ID:
        application.change_policy(lambda policy: policy.set_secret(actor, name=name), along=along)
    else:
        application.change_user(owner_id, lambda user: user.set_secret(actor, name=name), along=along)
    return _existing(database, owner_id, name)


def delete_secret(application: SimpleTuner, vault: Vault, actor: Actor, *, owner_id: UUID, name: str) -> None:
    """Raises NotFound."""

    def along(session: Session) -> None:
        vault.remove(session, owner_id, name)
        remove_secret(session, owner_id, name)

    if owner_id == POLICY_ID:
        application.change_policy(lambda policy: policy.remove_secret(actor, name=name), along=along)
    else:
        application.change_user(owner_id, lambda user: user.remove_secret(actor, name=name), along=along)


def check_secret(database: Database, vault: Vault, settings: Settings, *, owner_id: UUID, name: str) -> SecretRow:
    """Asked about again; one that is refused now stays, marked so. Raises NotFound, InvalidInput, KeyTrouble."""
    _existing(database, owner_id, name)
    with database.reading() as session:
        value = vault.find(session, owner_id, name)
    if value is None:
        raise _not_found(name)
    checked = check_token(settings, kind_of(name), value)
    if checked is None:
        raise InvalidInput(f"nobody can be asked whether {name} is right; only a run will tell", path=("name",))
    with database.writing() as session:
        if vault.find(session, owner_id, name) == value:
            note_check(session, owner_id, name, checked=checked, now=datetime.now(UTC))
    return _existing(database, owner_id, name)


def _is_stored(database: Database, vault: Vault, owner_id: UUID, name: str, value: str) -> bool:
    with database.reading() as session:
        if find_secret(session, owner_id, name) is None:
            return False
        try:
            stored = vault.find(session, owner_id, name)
        except KeyTrouble:
            return False
    return stored is not None and hmac.compare_digest(stored.encode(), value.encode())


def _existing(database: Database, owner_id: UUID, name: str) -> SecretRow:
    """Raises NotFound."""
    with database.reading() as session:
        row = find_secret(session, owner_id, name)
    if row is None:
        raise _not_found(name)
    return row


def _not_found(name: str) -> NotFound:
    return NotFound(f"there is no secret {name!r:.100}", path=("name",))
