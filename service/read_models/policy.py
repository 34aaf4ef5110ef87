"""Levels, rules, sign-in providers and registration as they are now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, Table, Text, Uuid, delete, insert, select, update
from sqlalchemy.orm import Session

from domain.access import LEVEL_DESCRIPTIONS, LEVELS, ResourceKind, Rule, RuleAction
from domain.aggregate import Noun
from domain.config.changes import apply_changes
from domain.policy import REGISTRATION, Policy
from service.database import metadata
from service.read_models.columns import Big, Json, Moment

custom_levels = Table(
    "custom_levels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("level", Json, nullable=False),
    Column("position", Big, nullable=False),
)

access_rules = Table(
    "access_rules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("rule", Json, nullable=False),
    Column("position", Big, nullable=False),
)

auth_providers = Table(
    "auth_providers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("config", Json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("position", Big, nullable=False),
)

registration = Table(
    "registration",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rules", Json, nullable=False),
)
"""One row at most; without it, Policy's REGISTRATION counts."""

TABLES = (custom_levels, access_rules, auth_providers, registration)


@dataclass(frozen=True, slots=True)
class LevelRow:
    """permissions: as they were given, which may be patterns such as job.*"""

    name: str
    description: str
    permissions: tuple[str, ...]
    is_built_in: bool


@dataclass(frozen=True, slots=True)
class RuleRow:
    id: UUID
    name: str
    level: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """kind: oidc or ldap. config: without secrets."""

    id: UUID
    kind: str
    config: dict[str, Any]
    revision: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Registration:
    """approval: an administrator lets each new user in. email_domains: empty for any."""

    open: bool
    approval: bool
    email_domains: tuple[str, ...]
    default_levels: tuple[str, ...]


def project(session: Session, event: Noun.Event, position: int) -> None:
    match event:
        case Policy.LevelCreated():
            level = apply_changes({}, event.changes)
            session.execute(insert(custom_levels).values(name=event.name, level=level, position=position))
        case Policy.LevelChanged():
            before = session.execute(
                select(custom_levels.c.level).where(custom_levels.c.name == event.name)
            ).scalar_one()
            level = apply_changes(before, event.changes)
            session.execute(update(custom_levels).where(custom_levels.c.name == event.name).values(level=level))
        case Policy.LevelDeleted():
            session.execute(delete(custom_levels).where(custom_levels.c.name == event.name))
        case Policy.RuleCreated():
            rule = apply_changes({}, event.changes)
            session.execute(insert(access_rules).values(id=event.rule_id, rule=rule, position=position))
        case Policy.RuleDeleted():
            session.execute(delete(access_rules).where(access_rules.c.id == event.rule_id))
        case Policy.ProviderAdded():
            session.execute(
                insert(auth_providers).values(
                    id=event.provider_id,
                    kind=event.kind,
                    config=apply_changes({}, event.changes),
                    revision=1,
                    created_at=event.timestamp,
                    position=position,
                )
            )
        case Policy.ProviderChanged():
            row = session.execute(select(auth_providers).where(auth_providers.c.id == event.provider_id)).one()
            session.execute(
                update(auth_providers)
                .where(auth_providers.c.id == event.provider_id)
                .values(config=apply_changes(row.config, event.changes), revision=row.revision + 1)
            )
        case Policy.ProviderRemoved():
            session.execute(delete(auth_providers).where(auth_providers.c.id == event.provider_id))
        case Policy.RegistrationChanged():
            before = session.scalar(select(registration.c.rules)) or dict(REGISTRATION)
            session.execute(delete(registration))
            session.execute(insert(registration).values(id=1, rules=apply_changes(before, event.changes)))


def list_levels(session: Session) -> list[LevelRow]:
    """The built-in ones, then the others, oldest first."""
    built_in = [
        LevelRow(name, LEVEL_DESCRIPTIONS[name], tuple(sorted(permissions)), True)
        for name, permissions in LEVELS.items()
    ]
    rows = session.execute(select(custom_levels).order_by(custom_levels.c.position))
    custom = [LevelRow(row.name, row.level["description"], tuple(row.level["permissions"]), False) for row in rows]
    return built_in + custom


def find_levels(session: Session, names: Sequence[str]) -> list[LevelRow | None]:
    """In the order asked for, with None for those that do not exist."""
    by_name = {level.name: level for level in list_levels(session)}
    return [by_name.get(name) for name in names]


def list_rules(session: Session) -> list[RuleRow]:
    """Oldest first."""
    rows = session.execute(select(access_rules).order_by(access_rules.c.position, access_rules.c.id))
    return [RuleRow(row.id, row.rule["name"], row.rule["level"], _rule(row.rule)) for row in rows]


def _rule(stored: Mapping[str, Any]) -> Rule:
    return Rule(
        kind=ResourceKind(stored["kind"]),
        pattern=stored["pattern"],
        action=RuleAction(stored["action"]),
        priority=stored["priority"],
        permissions=frozenset(stored["permissions"]),
    )


def list_providers(session: Session) -> list[ProviderRow]:
    """Oldest first."""
    rows = session.execute(select(auth_providers).order_by(auth_providers.c.position))
    return [ProviderRow(row.id, row.kind, row.config, row.revision, row.created_at) for row in rows]


def find_provider(session: Session, provider_id: UUID) -> ProviderRow | None:
    row = session.execute(select(auth_providers).where(auth_providers.c.id == provider_id)).first()
    return None if row is None else ProviderRow(row.id, row.kind, row.config, row.revision, row.created_at)


def find_registration(session: Session) -> Registration:
    rules = session.scalar(select(registration.c.rules)) or REGISTRATION
    return Registration(
        open=rules["open"],
        approval=rules["approval"],
        email_domains=tuple(rules["email_domains"]),
        default_levels=tuple(rules["default_levels"]),
    )
