"""`simpletuner audit`: whether the events are as they were written, and the log as JSON lines."""

import os
import sys
from collections.abc import Mapping

from service.audit.chain import Head
from service.audit.export import export, read_filter
from service.audit.key import read_audit_key
from service.audit.verification import verify
from service.commands.workspace import Workspace, opened_workspace, say
from service.graphql.scalars import encode_id, split_id
from service.settings import read_settings


def print_verification(*, noted: tuple[int, bytes] | None) -> int:
    """noted: position and digest of an earlier head. Exit status 1 when an event was altered."""
    key = read_audit_key(read_settings())
    with opened_workspace() as workspace:
        found = verify(
            workspace.application,
            workspace.database,
            key=key,
            noted=None if noted is None else Head(*noted),
        )
    if found.alteration is None:
        say(f"{found.num_events} events, unaltered; head {found.head}")
        return 0
    say(f"ALTERED at {found.alteration}")
    say(f"{found.num_events} events before it are unaltered; head {found.head}")
    return 1


def print_export(given: Mapping[str, str]) -> int:
    with opened_workspace() as workspace:
        wanted = read_filter(_with_actor(workspace, given))
        try:
            for lines in export(workspace.database, wanted):
                sys.stdout.write(lines)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read it has enough; what is left in the buffer has nowhere to go when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
    return 0


def _with_actor(workspace: Workspace, given: Mapping[str, str]) -> Mapping[str, str]:
    """actor: as an id that the API gave, also when a name was given. Raises NotFound."""
    if "actor" not in given or split_id(given["actor"])[0] == "User":
        return given
    return {**given, "actor": encode_id("User", workspace.find_user(given["actor"]).id)}
