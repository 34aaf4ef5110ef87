"""`simpletuner apikey`: keys for scripts, by whoever has the machine."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from domain.access import COMMAND_LINE, check_permissions, expand
from domain.errors import InvalidInput, NotFound, WrongState
from service.access.api_keys import ApiKeyRow, api_keys_of
from service.access.key_ring import revoke_key, write_key
from service.access.viewer import rights_of
from service.commands.user import users_of
from service.commands.workspace import Workspace, opened_workspace, print_table, say
from service.read_models.user import UserRow

KEYS_NEED = "api.access"


def create(login: str, *, name: str, permissions: Sequence[str] | None, expires_days: int | None) -> int:
    """Prints the secret and nothing else, so that it can go straight to where it is used."""
    with opened_workspace() as workspace:
        user = workspace.find_user(login)
        check_key(workspace, user, permissions)
        expires_at = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
        secret, _ = write_key(
            workspace.application, COMMAND_LINE, user.id, name=name, permissions=permissions, expires_at=expires_at
        )
    say(secret)
    return 0


def check_key(workspace: Workspace, user: UserRow, permissions: Sequence[str] | None) -> None:
    """A key that would open nothing, or less than it says, is no use. Raises InvalidInput, WrongState."""
    check_permissions(permissions or (), path=("permissions",))
    if not user.may_sign_in:
        raise WrongState(f"the account of {user.username} is disabled or waits for approval; a key would not work")
    with workspace.database.reading() as session:
        rights = rights_of(session, user)
    beyond = sorted(({KEYS_NEED} | expand(permissions or ())) - rights.permissions)
    if beyond:
        raise InvalidInput(f"{user.username} has no {beyond[0]}, and a key can do no more than its user")


def print_all(login: str | None) -> int:
    with opened_workspace() as workspace:
        rows = [_row(user, key) for user, key in keys_of(workspace, login)]
    print_table(("ID", "BEGINS WITH", "USER", "NAME", "PERMISSIONS", "EXPIRES", "LAST USED"), rows)
    return 0


def revoke(wanted: str) -> int:
    with opened_workspace() as workspace:
        found = [(user, key) for user, key in keys_of(workspace, None) if wanted in (str(key.id), key.prefix)]
        if not found:
            raise NotFound(f"there is no key {wanted!r:.60}; simpletuner apikey list prints all")
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} keys begin with {wanted!r}; give the id of the one to revoke")
        user, key = found[0]
        revoke_key(workspace.application, workspace.database, COMMAND_LINE, key.id)
    say(f"The key {key.prefix} of {user.username}, {key.name}, works no more.")
    return 0


def keys_of(workspace: Workspace, login: str | None) -> Iterator[tuple[UserRow, ApiKeyRow]]:
    """Those that have not been revoked, of one user or of all."""
    users = users_of(workspace.database) if login is None else [workspace.find_user(login)]
    for user in users:
        with workspace.database.reading() as session:
            keys = api_keys_of(session, user.id)
        yield from ((user, key) for key in keys)


def _row(user: UserRow, key: ApiKeyRow) -> tuple[str, ...]:
    permissions = "all of the user" if key.permissions is None else ", ".join(key.permissions) or "none"
    return (
        str(key.id),
        key.prefix,
        user.username,
        key.name,
        permissions,
        _day(key.expires_at),
        _day(key.last_used_at),
    )


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else moment.date().isoformat()
