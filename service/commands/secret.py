"""`simpletuner secret`: tokens and passwords for runs, by whoever has the machine. Shared, unless a user is named."""

import getpass
import sys
from uuid import UUID

from domain.access import COMMAND_LINE
from domain.errors import InvalidInput
from domain.policy import POLICY_ID
from domain.secret import NAMES, SecretKind, kind_of, name_of
from service.commands.workspace import Workspace, opened_workspace, print_table, say
from service.secrets import keeping
from service.secrets.key import KeyRing
from service.secrets.listing import CheckResult, SecretRow, list_secrets
from service.secrets.vault import Vault


def set_one(name: str, *, login: str | None) -> int:
    name = name if name in NAMES.values() else name_of(SecretKind.OTHER, name)
    with opened_workspace() as workspace:
        owner_id = owner_of(workspace, login)
        row = keeping.set_secret(
            workspace.application,
            workspace.database,
            vault_of(workspace),
            workspace.settings,
            COMMAND_LINE,
            owner_id=owner_id,
            name=name,
            value=read_value(name),
        )
    say(f"{row.name} is stored. {told(row)}".strip())
    return 0


def print_all(login: str | None) -> int:
    with opened_workspace() as workspace:
        user_id = None if login is None else workspace.find_user(login).id
        with workspace.database.reading() as session:
            rows = list_secrets(session, user_id)
    table = [
        (
            row.name,
            row.scope.value,
            row.set_at.date().isoformat(),
            row.checked.result if row.checked else "-",
            _account(row),
        )
        for row in rows
    ]
    print_table(("NAME", "SCOPE", "SET", "CHECK", "ACCOUNT"), table)
    return 0


def delete(name: str, *, login: str | None) -> int:
    with opened_workspace() as workspace:
        owner_id = owner_of(workspace, login)
        keeping.delete_secret(workspace.application, vault_of(workspace), COMMAND_LINE, owner_id=owner_id, name=name)
    say(f"{name} is erased.")
    return 0


def check(name: str, *, login: str | None) -> int:
    """Exit status 1 for one that is refused, or about which nobody could be asked."""
    with opened_workspace() as workspace:
        row = keeping.check_secret(
            workspace.database,
            vault_of(workspace),
            workspace.settings,
            owner_id=owner_of(workspace, login),
            name=name,
        )
    say(told(row))
    return 0 if row.checked is not None and row.checked.result is CheckResult.ACCEPTED else 1


def rotate_key() -> int:
    with opened_workspace() as workspace:
        number = vault_of(workspace).rotate(workspace.database)
        place = KeyRing.of(workspace.settings).place
    say(f"{number} secrets are sealed with the new key in {place}.")
    return 0


def owner_of(workspace: Workspace, login: str | None) -> UUID:
    return POLICY_ID if login is None else workspace.find_user(login).id


def vault_of(workspace: Workspace) -> Vault:
    return Vault(KeyRing.of(workspace.settings))


def read_value(name: str) -> str:
    """Asked for on the terminal, where it is not shown, or read from standard input. Raises InvalidInput."""
    value = getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not value.strip():
        raise InvalidInput(
            f"there is no value; write it on standard input, such as: simpletuner secret set {name} < FILE"
        )
    return value


def told(row: SecretRow) -> str:
    if row.checked is None:
        return "" if kind_of(row.name) is SecretKind.OTHER else "It was not checked."
    said = row.checked.message
    return f"{said[0].upper()}{said[1:]}."


def _account(row: SecretRow) -> str:
    return (row.checked.account if row.checked else None) or "-"
