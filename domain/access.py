"""Who may do what: permissions, levels, rules that narrow a permission to resources, and who is behind a command.

A person has the permissions of all their levels, and personal grants; personal denials win over both. Rules narrow
what is left to resources whose name fits a pattern.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from domain.errors import InvalidInput

PERMISSIONS: dict[str, str] = {
    "job.submit": "Start and resume training.",
    "job.view.own": "See one's own runs, with their pictures, numbers and weights.",
    "job.view.all": "See everybody's runs.",
    "job.cancel.own": "Stop one's own runs and ask them for checkpoints and pictures.",
    "job.cancel.all": "Stop everybody's runs and ask them for checkpoints and pictures.",
    "config.view": "See environments and datasets.",
    "config.create": "Create environments and datasets.",
    "config.edit.own": "Change environments and datasets that one has created.",
    "config.edit.all": "Change everybody's environments and datasets.",
    "config.delete.own": "Delete environments and datasets that one has created.",
    "config.delete.all": "Delete everybody's environments and datasets.",
    "paths.any": "Name files and folders of this machine outside the allowed folders in a configuration.",
    "scripts.edit": "Name external scripts in a configuration: they run as commands on this machine.",
    "secrets.own": "Store tokens of one's own for one's own runs; nobody can read them back.",
    "secrets.edit": "Write the secrets of the service and those that all runs share, which nobody can read back.",
    "admin.audit": "Read and export the audit log.",
    "admin.users": "Create, change, disable and delete users, and see their e-mail addresses and sign-ins.",
    "admin.levels": "Make levels, and rules that narrow them.",
    "admin.config": "Decide how people sign in and register; whoever has this can become anybody.",
    "api.access": "Use the API with a key.",
    "api.keys.own": "Create and revoke one's own API keys.",
    "api.keys.all": "See and revoke everybody's API keys.",
}

ADMIN = "admin"
_RESEARCHER = frozenset(
    {
        *("job.submit", "job.view.own", "job.cancel.own"),
        *("config.view", "config.create", "config.edit.own", "config.delete.own"),
        *("secrets.own", "api.access", "api.keys.own"),
    }
)

LEVELS: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"job.view.own", "config.view"}),
    "researcher": _RESEARCHER,
    "lead": _RESEARCHER | {"job.view.all", "admin.audit"},
    ADMIN: frozenset(PERMISSIONS),
}
"""The built-in levels; nobody can change them."""

LEVEL_DESCRIPTIONS: Mapping[str, str] = {
    "viewer": "Looks at environments and at their own runs.",
    "researcher": "Trains with environments of their own.",
    "lead": "A researcher who also sees everybody's runs and the audit log.",
    ADMIN: "May do everything; rules do not narrow it.",
}


class ResourceKind(StrEnum):
    ENVIRONMENT = "environment"
    DATASET = "dataset"
    RUN = "run"
    PATH = "path"


class RuleAction(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


VIEW_PERMISSIONS: Mapping[ResourceKind, str] = {
    ResourceKind.ENVIRONMENT: "config.view",
    ResourceKind.DATASET: "config.view",
    ResourceKind.RUN: "job.view",
}
"""What it takes to know that there is such a thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of a level. pattern: of names, with * for any characters and ? for one, whatever the case.

    permissions: those that it narrows, empty for all. Of the rules whose pattern fits, the one with the highest
    priority decides, and among equals a denial; where there are rules and none fits, the answer is no.
    """

    kind: ResourceKind
    pattern: str
    action: RuleAction
    priority: int = 0
    permissions: frozenset[str] = frozenset()

    def narrows(self, permission: str, kind: ResourceKind) -> bool:
        if self.kind != kind:
            return False
        return not self.permissions or any(is_covered(permission, each) for each in self.permissions)

    def fits(self, name: str) -> bool:
        return _compiled(self.pattern.casefold()).fullmatch(name.casefold()) is not None


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that a permission is asked for; owner: the user who made it, None for the service and its console."""

    kind: ResourceKind
    name: str
    owner: UUID | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do. rules: of their levels; empty for administrators, whom nothing narrows."""

    user_id: UUID
    permissions: frozenset[str]
    rules: tuple[Rule, ...] = ()

    def may(self, permission: str, resource: Resource) -> bool:
        """permission: without .own or .all where there are both; which of them is needed depends on the owner."""
        return self._has(permission, resource.owner) and decide(self.narrowing(permission, resource.kind), resource)

    def may_see(self, resource: Resource) -> bool:
        return self.may(VIEW_PERMISSIONS[resource.kind], resource)

    def narrowing(self, permission: str, kind: ResourceKind) -> list[Rule]:
        """The rules that count for a permission, in the order in which they decide."""
        counting = [rule for rule in self.rules if rule.narrows(permission, kind)]
        return sorted(counting, key=lambda rule: (-rule.priority, rule.action is RuleAction.ALLOW))

    def _has(self, permission: str, owner: UUID | None) -> bool:
        if permission in PERMISSIONS:
            return permission in self.permissions
        needed = {f"{permission}.all"} | ({f"{permission}.own"} if owner == self.user_id else set())
        return bool(needed & self.permissions)


def decide(rules: Sequence[Rule], resource: Resource) -> bool:
    """rules: in the order in which they decide. Without any, everything is allowed."""
    for rule in rules:
        if rule.fits(resource.name):
            return rule.action is RuleAction.ALLOW
    return not rules


def expand(names: Iterable[str]) -> frozenset[str]:
    """Permissions and patterns of them (`job.*`, `*`) to permissions."""
    given = set(names)
    return frozenset(each for each in PERMISSIONS if any(is_covered(each, name) for name in given))


def is_covered(permission: str, name: str) -> bool:
    """name: a permission, one without its .own or .all, or a pattern such as job.* or *."""
    if name == "*":
        return True
    if name.endswith(".*"):
        return permission.startswith(name[:-1])
    return permission == name or f"{permission}.own" == name or f"{permission}.all" == name


def effective_permissions(
    levels: Iterable[Iterable[str]], *, grants: Collection[str], denials: Collection[str]
) -> frozenset[str]:
    """levels: what each of them allows."""
    of_levels = frozenset[str]().union(*(expand(level) for level in levels))
    return (of_levels | expand(grants)) - expand(denials)


def check_permissions(names: Iterable[str], *, path: Sequence[str]) -> None:
    """Each a permission or a pattern that covers one. Raises InvalidInput."""
    for name in names:
        if name not in PERMISSIONS and not (("*" in name) and expand([name])):
            raise InvalidInput(f"there is no permission {name!r}; the query permissions lists them", path=path)


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


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
COMMAND_LINE = Actor(user_id=None, via="command line")
