"""Permissions and levels, and who is behind a command."""

from dataclasses import dataclass
from uuid import UUID

PERMISSIONS: dict[str, str] = {
    "config.view": "See environments and datasets.",
    "config.create": "Create environments and datasets.",
    "config.edit.own": "Change environments and datasets that one has created.",
    "config.edit.all": "Change everybody's environments and datasets.",
    "config.delete.own": "Delete environments and datasets that one has created.",
    "config.delete.all": "Delete everybody's environments and datasets.",
    "job.submit": "Start and resume training.",
    "job.view.own": "See one's own runs, with their pictures, numbers and weights.",
    "job.view.all": "See everybody's runs.",
    "job.cancel.own": "Stop one's own runs and ask them for checkpoints and pictures.",
    "job.cancel.all": "Stop everybody's runs and ask them for checkpoints and pictures.",
    "api.access": "Use the API with a key.",
    "api.keys.own": "Create and revoke one's own API keys.",
}

LEVELS: dict[str, frozenset[str]] = {"admin": frozenset(PERMISSIONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who gives a command, and how it came in.

    user_id: None for the service itself. via: "session …", "key …", "command line", "trainer", "service".
    address: the network address of the request, empty when there is none.
    """

    user_id: UUID | None
    via: str
    address: str = ""


SERVICE = Actor(user_id=None, via="service")
TRAINER = Actor(user_id=None, via="trainer")
