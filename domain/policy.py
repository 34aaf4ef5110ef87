"""Policy: who may sign in, and what levels of one's own allow. There is one, which begins with its first change.

Secrets, of providers and shared ones, are kept elsewhere, never in events.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import LEVELS, SERVICE, Actor, check_permissions
from domain.aggregate import Noun
from domain.config.changes import Change, apply_changes, changes_between
from domain.errors import InvalidInput, NameTaken, NotFound, StaleVersion
from domain.secret import MAX_SECRETS

POLICY_ID = UUID("5f0c1d3e-7c55-4b52-9f0a-6a1d9d2c7a10")
MAX_LEVEL_NAME = 50
MAX_DESCRIPTION = 500
REGISTRATION: Mapping[str, Any] = {
    "open": False,
    "approval": True,
    "email_domains": [],
    "default_levels": ["researcher"],
}
"""How registration is at first: closed; and, once open, only with approval."""


class Policy(Noun):
    """levels: by name, what each custom one is ({description, permissions}). rules and providers: by id, as they were
    checked by who gave them, each with a `revision` of its own that counts its versions from 1. secrets: the names of those
    that every run is given.
    """

    TOPIC = "Policy"

    class Event(Noun.Event):
        pass

    class Begun(Event, AggregateCreated):
        TOPIC = "Policy.Begun"

    class LevelCreated(Event):
        TOPIC = "Policy.LevelCreated"
        name: str
        changes: list[Change]

        def apply(self, aggregate: "Policy") -> None:
            aggregate.levels[self.name] = apply_changes({}, self.changes)

    class LevelChanged(Event):
        TOPIC = "Policy.LevelChanged"
        name: str
        changes: list[Change]

        def apply(self, aggregate: "Policy") -> None:
            aggregate.levels[self.name] = apply_changes(aggregate.levels[self.name], self.changes)

    class LevelDeleted(Event):
        TOPIC = "Policy.LevelDeleted"
        name: str

        def apply(self, aggregate: "Policy") -> None:
            del aggregate.levels[self.name]

    class RuleCreated(Event):
        TOPIC = "Policy.RuleCreated"
        rule_id: UUID
        changes: list[Change]

        def apply(self, aggregate: "Policy") -> None:
            aggregate.rules[self.rule_id] = apply_changes({}, self.changes)

    class RuleDeleted(Event):
        TOPIC = "Policy.RuleDeleted"
        rule_id: UUID

        def apply(self, aggregate: "Policy") -> None:
            del aggregate.rules[self.rule_id]

    class ProviderAdded(Event):
        TOPIC = "Policy.ProviderAdded"
        provider_id: UUID
        kind: str
        changes: list[Change]

        def apply(self, aggregate: "Policy") -> None:
            aggregate.providers[self.provider_id] = apply_changes({}, self.changes)
            aggregate.provider_revisions[self.provider_id] = 1

    class ProviderChanged(Event):
        """is_secret_changed: its secret was written anew; what it is stands nowhere in events."""

        TOPIC = "Policy.ProviderChanged"
        provider_id: UUID
        changes: list[Change]
        is_secret_changed: bool

        def apply(self, aggregate: "Policy") -> None:
            changed = apply_changes(aggregate.providers[self.provider_id], self.changes)
            aggregate.providers[self.provider_id] = changed
            aggregate.provider_revisions[self.provider_id] += 1

    class ProviderRemoved(Event):
        TOPIC = "Policy.ProviderRemoved"
        provider_id: UUID

        def apply(self, aggregate: "Policy") -> None:
            del aggregate.providers[self.provider_id]
            del aggregate.provider_revisions[self.provider_id]

    class RegistrationChanged(Event):
        TOPIC = "Policy.RegistrationChanged"
        changes: list[Change]

        def apply(self, aggregate: "Policy") -> None:
            aggregate.registration = apply_changes(aggregate.registration, self.changes)

    class SecretSet(Event):
        """name: its environment variable; what it is stands nowhere in events."""

        TOPIC = "Policy.SecretSet"
        name: str

        def apply(self, aggregate: "Policy") -> None:
            aggregate.secrets.add(self.name)

    class SecretRemoved(Event):
        TOPIC = "Policy.SecretRemoved"
        name: str

        def apply(self, aggregate: "Policy") -> None:
            aggregate.secrets.discard(self.name)

    def __init__(self) -> None:
        self.levels: dict[str, dict[str, Any]] = {}
        self.rules: dict[UUID, dict[str, Any]] = {}
        self.providers: dict[UUID, dict[str, Any]] = {}
        self.provider_revisions: dict[UUID, int] = {}
        self.registration: dict[str, Any] = dict(REGISTRATION)
        self.secrets: set[str] = set()

    @staticmethod
    def create_id() -> UUID:
        return POLICY_ID

    @classmethod
    def begin(cls) -> "Policy":
        return cls._begin(cls.Begun, SERVICE)

    # ---- levels

    def create_level(self, actor: Actor, *, name: str, description: str, permissions: Collection[str]) -> None:
        taken = {each.casefold() for each in (*LEVELS, *self.levels)}
        if not 1 <= len(name) <= MAX_LEVEL_NAME or name != name.strip() or not name.isprintable():
            raise InvalidInput(f"the name of a level has 1 to {MAX_LEVEL_NAME} characters", path=("name",))
        if name.casefold() in taken:
            raise NameTaken(f"there is a level named {name!r} already; choose another name", path=("name",))
        level = _level(description, permissions)
        self._record(self.LevelCreated, actor, name=name, changes=changes_between({}, level))

    def change_level(
        self, actor: Actor, *, name: str, description: str | None, permissions: Collection[str] | None
    ) -> None:
        """None keeps what is. Raises NotFound, also for the built-in levels, InvalidInput."""
        before = self.levels.get(name)
        if before is None:
            raise _no_level(name)
        after = _level(
            before["description"] if description is None else description,
            before["permissions"] if permissions is None else permissions,
        )
        changes = changes_between(before, after)
        if changes:
            self._record(self.LevelChanged, actor, name=name, changes=changes)

    def delete_level(self, actor: Actor, *, name: str) -> None:
        if name not in self.levels:
            raise _no_level(name)
        for rule_id, rule in list(self.rules.items()):
            if rule["level"] == name:
                self.delete_rule(actor, rule_id=rule_id)
        self._record(self.LevelDeleted, actor, name=name)

    def check_levels(self, names: Collection[str], *, path: tuple[str, ...] = ("levels",)) -> None:
        """Raises InvalidInput for one that there is not."""
        for name in names:
            if name not in LEVELS and name not in self.levels:
                raise InvalidInput(
                    f"there is no level named {name!r}; there are {', '.join((*LEVELS, *self.levels))}", path=path
                )

    def permissions_of(self, level: str) -> Collection[str]:
        """As they were given, which may be patterns; none for a level that there is not."""
        own: Collection[str] = self.levels.get(level, {}).get("permissions", ())
        return LEVELS.get(level, own)

    # ---- rules

    def create_rule(self, actor: Actor, *, rule_id: UUID, rule: Mapping[str, Any]) -> None:
        """rule: level, kind, pattern, action, priority, permissions; checked by who gives it."""
        self.check_levels([rule["level"]], path=("level",))
        self._record(self.RuleCreated, actor, rule_id=rule_id, changes=changes_between({}, rule))

    def delete_rule(self, actor: Actor, *, rule_id: UUID) -> None:
        if rule_id not in self.rules:
            raise NotFound("there is no rule with that id", path=("id",))
        self._record(self.RuleDeleted, actor, rule_id=rule_id)

    # ---- providers of identity

    def add_provider(self, actor: Actor, *, provider_id: UUID, kind: str, config: Mapping[str, Any]) -> None:
        """kind: oidc or ldap. config: checked by who gives it, without secrets."""
        self._check_provider_name(config, but=None)
        changes = changes_between({}, config)
        self._record(self.ProviderAdded, actor, provider_id=provider_id, kind=kind, changes=changes)

    def change_provider(
        self,
        actor: Actor,
        *,
        provider_id: UUID,
        config: Mapping[str, Any],
        is_secret_changed: bool,
        expected_revision: int | None = None,
    ) -> None:
        """Nothing happens when all is as it was. Raises NotFound, StaleVersion, NameTaken."""
        self._check_provider(provider_id)
        newest = self.provider_revisions[provider_id]
        if expected_revision not in (None, newest):
            raise StaleVersion(
                f"somebody else changed this provider: version {expected_revision} is not the newest, which is "
                f"{newest}; load it again and repeat the change",
                path=("expectedVersion",),
            )
        self._check_provider_name(config, but=provider_id)
        changes = changes_between(self.providers[provider_id], config)
        if changes or is_secret_changed:
            self._record(
                self.ProviderChanged,
                actor,
                provider_id=provider_id,
                changes=changes,
                is_secret_changed=is_secret_changed,
            )

    def remove_provider(self, actor: Actor, *, provider_id: UUID) -> None:
        self._check_provider(provider_id)
        self._record(self.ProviderRemoved, actor, provider_id=provider_id)

    def _check_provider(self, provider_id: UUID) -> None:
        if provider_id not in self.providers:
            raise NotFound("there is no sign-in provider with that id", path=("id",))

    def _check_provider_name(self, config: Mapping[str, Any], *, but: UUID | None) -> None:
        name = config["name"].casefold()
        if any(each["name"].casefold() == name for key, each in self.providers.items() if key != but):
            raise NameTaken(f"there is a sign-in provider named {config['name']!r} already", path=("name",))

    # ---- registration

    def change_registration(self, actor: Actor, *, changed: Mapping[str, Any]) -> None:
        """changed: any of open, approval, email_domains, default_levels; checked by who gives them."""
        self.check_levels(changed.get("default_levels", ()), path=("defaultLevels",))
        changes = changes_between(self.registration, {**self.registration, **changed})
        if changes:
            self._record(self.RegistrationChanged, actor, changes=changes)

    # ---- shared secrets

    def set_secret(self, actor: Actor, *, name: str) -> None:
        if name not in self.secrets and len(self.secrets) >= MAX_SECRETS:
            raise InvalidInput(f"there are {MAX_SECRETS} shared secrets, which is all there can be; delete one first")
        self._record(self.SecretSet, actor, name=name)

    def remove_secret(self, actor: Actor, *, name: str) -> None:
        if name not in self.secrets:
            raise NotFound(f"there is no shared secret {name!r:.100}", path=("name",))
        self._record(self.SecretRemoved, actor, name=name)


def _level(description: str, permissions: Collection[str]) -> dict[str, Any]:
    if len(description) > MAX_DESCRIPTION:
        raise InvalidInput(f"a description has at most {MAX_DESCRIPTION} characters", path=("description",))
    check_permissions(permissions, path=("permissions",))
    return {"description": description, "permissions": sorted(set(permissions))}


def _no_level(name: str) -> NotFound:
    built_in = "; it is built in and cannot be changed" if name in LEVELS else ""
    return NotFound(f"there is no level of one's own named {name!r}{built_in}", path=("id",))
