"""Permissions, levels, rules that narrow them, and registration."""

from typing import Any
from uuid import UUID, uuid4

import strawberry

from domain.access import (
    PERMISSIONS,
    ResourceKind,
    RuleAction,
    check_permissions,
    expand,
)
from domain.errors import InUse, InvalidInput, NotAllowed
from domain.policy import Policy
from service.access.administration import check_reach
from service.access.provider_settings import providers_naming
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.errors import UserError
from service.graphql.node import Node
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Needs, SignedIn
from service.graphql.scalars import decode_id, decode_name, encode_id
from service.graphql.user import Level
from service.read_models.policy import Registration as RegistrationRow
from service.read_models.policy import RuleRow, find_levels, find_registration, list_levels, list_rules
from service.read_models.user import users_with_level

MAX_PATTERN = 500
MAX_RULE_NAME = 100
MAX_PRIORITY = 1000

strawberry.enum(ResourceKind, description="What a rule is about; a path is a file or folder named in a configuration.")
strawberry.enum(RuleAction, description="What a rule says.")


@strawberry.type(description="One right.")
class Permission:
    name: str = strawberry.field(description="For example job.submit.")
    description: str = strawberry.field(description="What it allows.")


@strawberry.type(
    description="Narrows the permissions of a level to resources by name. Of the rules that fit, the one with the highest "
    "priority decides, and among equals a denial; where a level has rules and none fits, the answer is no."
)
class AccessRule(Node):
    name: str = strawberry.field(description="What it is for.")
    level: str = strawberry.field(description="The level that it narrows.")
    kind: ResourceKind = strawberry.field(description="What it is about.")
    pattern: str = strawberry.field(description="Of names: * is any characters, ? is one, whatever the case.")
    action: RuleAction = strawberry.field(description="Allow or deny.")
    priority: int = strawberry.field(description="Higher ones decide first.")
    permissions: list[str] = strawberry.field(description="Those that it narrows; empty: all.")

    @classmethod
    def of(cls, row: RuleRow) -> "AccessRule":
        return cls(
            id=encode_id("AccessRule", row.id),
            name=row.name,
            level=row.level,
            kind=row.rule.kind,
            pattern=row.rule.pattern,
            action=row.rule.action,
            priority=row.rule.priority,
            permissions=sorted(row.rule.permissions),
        )


@strawberry.type(description="Who may make an account on their own.")
class Registration:
    open: bool = strawberry.field(description="Anybody who reaches the service, within what follows.")
    approval: bool = strawberry.field(description="An administrator lets each new user in.")
    email_domains: list[str] = strawberry.field(description="Only addresses at these; empty: any.")
    default_levels: list[str] = strawberry.field(description="The levels that new users get.")

    @classmethod
    def of(cls, row: RegistrationRow) -> "Registration":
        return cls(
            open=row.open,
            approval=row.approval,
            email_domains=list(row.email_domains),
            default_levels=list(row.default_levels),
        )


@strawberry.type(description="A level, or why not.")
class LevelPayload:
    level: Level | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="A rule, or why not.")
class AccessRulePayload:
    access_rule: AccessRule | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.type(description="Registration as it is now, or why not.")
class RegistrationPayload:
    registration: Registration | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="A level of one's own.")
class CreateLevelInput:
    name: str = strawberry.field(description="Unique, also among the built-in ones; it stays as it is.")
    permissions: list[str] = strawberry.field(description="Names of permissions, or patterns such as job.*.")
    description: str = strawberry.field(default="", description="For whom it is.")


@strawberry.input(description="A change of a level; what is null stays as it is.")
class UpdateLevelInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    permissions: list[str] | None = strawberry.field(default=None, description="All its permissions.")
    description: str | None = strawberry.field(default=None, description="For whom it is.")


@strawberry.input(description="A level to be deleted, with its rules.")
class DeleteLevelInput:
    id: strawberry.ID = strawberry.field(description="One that no user has.")


@strawberry.input(description="A rule to be made.")
class CreateAccessRuleInput:
    name: str = strawberry.field(description="What it is for.")
    level: str = strawberry.field(description="The level that it narrows.")
    kind: ResourceKind = strawberry.field(description="What it is about.")
    pattern: str = strawberry.field(description="Of names: * is any characters, ? is one.")
    action: RuleAction = strawberry.field(description="Allow or deny.")
    priority: int = strawberry.field(default=0, description="From 0 to 1000; higher ones decide first.")
    permissions: list[str] = strawberry.field(default_factory=list, description="Those that it narrows; empty: all.")


@strawberry.input(description="A rule to be deleted.")
class DeleteAccessRuleInput:
    id: strawberry.ID = strawberry.field(description="Which one.")


@strawberry.input(description="A change of who may register; what is null stays as it is.")
class UpdateRegistrationInput:
    open: bool | None = strawberry.field(default=None, description="Whether anybody may.")
    approval: bool | None = strawberry.field(default=None, description="Whether an administrator lets each in.")
    email_domains: list[str] | None = strawberry.field(default=None, description="Only addresses at these.")
    default_levels: list[str] | None = strawberry.field(default=None, description="The levels that new users get.")


@strawberry.type
class PolicyQuery:
    @strawberry.field(description="Every permission that there is.", extensions=[SignedIn()])
    async def permissions(self) -> list[Permission]:
        return [Permission(name=name, description=description) for name, description in PERMISSIONS.items()]

    @strawberry.field(description="The built-in levels and one's own.", extensions=[SignedIn()])
    async def levels(self, info: Info) -> list[Level]:
        return [Level.of(row) for row in await read(info, list_levels)]

    @strawberry.field(description="The rules that narrow levels, oldest first.", extensions=[Needs("admin.levels")])
    async def access_rules(self, info: Info) -> list[AccessRule]:
        return [AccessRule.of(row) for row in await read(info, list_rules)]

    @strawberry.field(description="Who may make an account on their own.", extensions=[Needs("admin.config")])
    async def registration(self, info: Info) -> Registration:
        return Registration.of(await read(info, find_registration))


@strawberry.type
class PolicyMutation:
    @strawberry.mutation(
        description="Make a level. Nobody can put permissions into it that they do not have.",
        extensions=[Needs("admin.levels")],
    )
    async def create_level(self, info: Info, input: CreateLevelInput) -> LevelPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> LevelPayload:
            _check_reach(viewer.permissions, input.permissions)
            parts.application.change_policy(
                lambda policy: policy.create_level(
                    viewer.actor, name=input.name, description=input.description, permissions=input.permissions
                )
            )
            return _level(info, input.name)

        return await answer(LevelPayload, work)

    @strawberry.mutation(
        description="Change a level of one's own, for everybody who has it.", extensions=[Needs("admin.levels")]
    )
    async def update_level(self, info: Info, input: UpdateLevelInput) -> LevelPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> LevelPayload:
            name = decode_name("Level", input.id)

            def command(policy: Policy) -> None:
                _check_reach(viewer.permissions, [*policy.permissions_of(name), *(input.permissions or ())])
                policy.change_level(
                    viewer.actor, name=name, description=input.description, permissions=input.permissions
                )

            parts.application.change_policy(command)
            return _level(info, name)

        return await answer(LevelPayload, work)

    @strawberry.mutation(
        description="Delete a level of one's own that nobody has, with its rules.", extensions=[Needs("admin.levels")]
    )
    async def delete_level(self, info: Info, input: DeleteLevelInput) -> DeletePayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> DeletePayload:
            name = decode_name("Level", input.id)

            def command(policy: Policy) -> None:
                _check_reach(viewer.permissions, policy.permissions_of(name))
                policy.delete_level(viewer.actor, name=name)

            def along(session: Any) -> None:
                having = [user.username for user in users_with_level(session, name)]
                if having:
                    raise InUse(
                        f"the level {name!r} is that of {', '.join(having[:5])}; give them another", path=("id",)
                    )
                if name in find_registration(session).default_levels:
                    raise InUse(f"{name!r} is a level that new users get; change that first", path=("id",))
                giving = providers_naming(session, name)
                if giving:
                    raise InUse(f"the sign-in provider {giving[0]!r} gives {name!r}; change that first", path=("id",))

            parts.application.change_policy(command, along=along)
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)

    @strawberry.mutation(
        description="Narrow a level. Only for those whom no rule narrows.", extensions=[Needs("admin.levels")]
    )
    async def create_access_rule(self, info: Info, input: CreateAccessRuleInput) -> AccessRulePayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> AccessRulePayload:
            rule = _checked_rule(input)
            rule_id = uuid4()

            def command(policy: Policy) -> None:
                _check_unnarrowed(info)
                _check_reach(viewer.permissions, policy.permissions_of(input.level))
                policy.create_rule(viewer.actor, rule_id=rule_id, rule=rule)

            parts.application.change_policy(command)
            with parts.database.reading() as session:
                row = next(row for row in list_rules(session) if row.id == rule_id)
            return AccessRulePayload(access_rule=AccessRule.of(row))

        return await answer(AccessRulePayload, work)

    @strawberry.mutation(
        description="Delete a rule. Only for those whom no rule narrows.", extensions=[Needs("admin.levels")]
    )
    async def delete_access_rule(self, info: Info, input: DeleteAccessRuleInput) -> DeletePayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> DeletePayload:
            rule_id: UUID = decode_id("AccessRule", input.id)

            def command(policy: Policy) -> None:
                _check_unnarrowed(info)
                level = policy.rules.get(rule_id, {}).get("level", "")
                _check_reach(viewer.permissions, policy.permissions_of(level))
                policy.delete_rule(viewer.actor, rule_id=rule_id)

            parts.application.change_policy(command)
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)

    @strawberry.mutation(
        description="Open or close registration. Nobody can let others get more than they have.",
        extensions=[Needs("admin.config")],
    )
    async def update_registration(self, info: Info, input: UpdateRegistrationInput) -> RegistrationPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> RegistrationPayload:
            if input.default_levels is not None:
                if not input.default_levels:
                    raise InvalidInput("new users get at least one level", path=("defaultLevels",))
                check_reach(parts.application, viewer.permissions, levels=input.default_levels)
            given = {
                "open": input.open,
                "approval": input.approval,
                "email_domains": None if input.email_domains is None else _checked_domains(input.email_domains),
                "default_levels": input.default_levels,
            }
            changed = {key: value for key, value in given.items() if value is not None}
            parts.application.change_policy(lambda policy: policy.change_registration(viewer.actor, changed=changed))
            with parts.database.reading() as session:
                return RegistrationPayload(registration=Registration.of(find_registration(session)))

        return await answer(RegistrationPayload, work)


def _check_reach(reach: frozenset[str], names: Any) -> None:
    """names: permissions or patterns. Raises NotAllowed for those that the viewer does not have."""
    beyond = sorted(expand(names) - reach)
    if beyond:
        raise NotAllowed(f"this reaches {beyond[0]}, which you do not have yourself")


def _check_unnarrowed(info: Info) -> None:
    """Who is narrowed by rules could lift them. Raises NotAllowed."""
    if signed_in(info).rights.rules:
        raise NotAllowed("your own rights are narrowed by rules, so you cannot change rules")


def _checked_rule(input: CreateAccessRuleInput) -> dict[str, Any]:
    """Raises InvalidInput."""
    if not 1 <= len(input.name.strip()) <= MAX_RULE_NAME:
        raise InvalidInput(f"the name of a rule has 1 to {MAX_RULE_NAME} characters", path=("name",))
    if not 1 <= len(input.pattern) <= MAX_PATTERN:
        raise InvalidInput(f"a pattern has 1 to {MAX_PATTERN} characters", path=("pattern",))
    if not 0 <= input.priority <= MAX_PRIORITY:
        raise InvalidInput(f"priority is {input.priority} but must be from 0 to {MAX_PRIORITY}", path=("priority",))
    if input.level == "admin":
        raise InvalidInput("rules do not narrow administrators; give people another level", path=("level",))
    check_permissions(input.permissions, path=("permissions",))
    return {
        "name": input.name.strip(),
        "level": input.level,
        "kind": input.kind.value,
        "pattern": input.pattern,
        "action": input.action.value,
        "priority": input.priority,
        "permissions": sorted(set(input.permissions)),
    }


def _checked_domains(given: list[str]) -> list[str]:
    domains = [each.strip().removeprefix("@").casefold() for each in given]
    for domain in domains:
        if "." not in domain or "@" in domain or " " in domain:
            raise InvalidInput(f"{domain!r} is no domain such as example.org", path=("emailDomains",))
    return sorted(set(domains))


def _level(info: Info, name: str) -> LevelPayload:
    with info.context.parts.database.reading() as session:
        row = find_levels(session, [name])[0]
    return LevelPayload(level=Level.of(row) if row else None)
