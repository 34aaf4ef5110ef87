"""`simpletuner user`: accounts, by whoever has the machine."""

import getpass
import secrets
import sys
from collections.abc import Iterator, Sequence

from domain.access import ADMIN, COMMAND_LINE
from domain.errors import InvalidInput
from service.access import administration
from service.access.administration import GENERATED_BYTES
from service.commands.workspace import Workspace, opened_workspace, print_table, say
from service.database import Database
from service.read_models.user import UserRow, list_users, num_administrators

PAGE = 500


def add(username: str, email: str, *, levels: Sequence[str], from_stdin: bool, generate: bool) -> int:
    with opened_workspace() as workspace:
        check_administrator(workspace, levels)
        password = read_password(from_stdin=from_stdin, generate=generate)
        administration.create_user(
            workspace.application, COMMAND_LINE, email=email, username=username, password=password, levels=levels
        )
    say(password if generate else f"{username} can sign in now.")
    return 0


def check_administrator(workspace: Workspace, levels: Sequence[str]) -> None:
    """With a user, the first start is over: nobody could become an administrator any more. Raises InvalidInput."""
    with workspace.database.reading() as session:
        is_first = num_administrators(session) == 0
    if is_first and ADMIN not in levels:
        raise InvalidInput(f"there is no administrator yet, so this has to be one: add --level {ADMIN}")


def print_all() -> int:
    with opened_workspace() as workspace:
        rows = [
            (user.username, user.email, ", ".join(user.levels), state_of(user)) for user in users_of(workspace.database)
        ]
    print_table(("USERNAME", "E-MAIL", "LEVELS", "STATE"), rows)
    return 0


def users_of(database: Database) -> Iterator[UserRow]:
    """Newest first, without deleted ones."""
    after: int | None = None
    while True:
        with database.reading() as session:
            page = list_users(session, first=PAGE, after=after)
        yield from (user for _, user in page.items)
        if not page.has_next:
            return
        after = page.items[-1][0]


def state_of(user: UserRow) -> str:
    if user.disabled:
        return "disabled"
    return "waits for approval" if user.waiting else "active"


def switch(login: str, *, disabled: bool) -> int:
    with opened_workspace() as workspace:
        user = workspace.find_user(login)
        administration.change_user(workspace.application, workspace.database, COMMAND_LINE, user.id, disabled=disabled)
    say(f"{user.username} is {'disabled' if disabled else 'enabled'}.")
    return 0


def reset_password(login: str, *, from_stdin: bool, generate: bool) -> int:
    with opened_workspace() as workspace:
        user = workspace.find_user(login)
        password = read_password(from_stdin=from_stdin, generate=generate)
        administration.reset_password(
            workspace.application, workspace.database, COMMAND_LINE, user.id, password=password
        )
    say(password if generate else f"{user.username} has a new password; all sessions of {user.username} have ended.")
    return 0


def read_password(*, from_stdin: bool, generate: bool) -> str:
    """Asked for twice on the terminal, or read, or made up. Raises InvalidInput."""
    if generate:
        return secrets.token_urlsafe(GENERATED_BYTES)
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput(
            "there is no terminal to ask for the password; give it with --password-stdin, or make one up with --generate"
        )
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise InvalidInput("the two passwords are not the same; nothing was changed")
    return password
