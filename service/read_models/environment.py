"""Environments as they are listed, and their versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.access import ResourceKind, Rights
from domain.aggregate import Noun
from domain.config.changes import Change, apply_changes, changes_between
from domain.config.effective import DEFAULT_ENVIRONMENT, is_default_environment, wants_defaults
from domain.config.training import TrainingConfig
from domain.environment import DATASETS_KEY, UNDESCRIBED, Environment
from domain.errors import NameTaken
from service.access.visibility import visible
from service.database import metadata
from service.read_models.columns import Big, Json, Moment
from service.read_models.pages import Page, read_page

environments = Table(
    "environments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("config", Json, nullable=False),
    Column("dataset_ids", Json, nullable=False),
    Column("family", Text, nullable=False, index=True),
    Column("model_type", Text, nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("tags", Json, nullable=False),
    Column("is_template", Boolean, nullable=False),
    Column("owner", Uuid),
    Column("updated_at", Moment, nullable=False),
    Column("position", Big, nullable=False, unique=True),
)

environment_tags = Table(
    "environment_tags",
    metadata,
    Column("environment_id", Uuid, primary_key=True),
    Column("tag_key", Text, primary_key=True, index=True),
)
"""The tags once more, to be searched by, whatever the case."""

environment_versions = Table(
    "environment_versions",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("environment_id", Uuid, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("author", Uuid),
    Column("via", Text, nullable=False),
    Column("changes", Json, nullable=False),
    Column("restored", Integer),
)

TABLES = (environments, environment_tags, environment_versions)


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    id: UUID
    name: str
    revision: int
    config: dict[str, Any]
    dataset_ids: tuple[UUID, ...]
    family: str
    model_type: str
    description: str
    tags: tuple[str, ...]
    is_template: bool
    owner: UUID | None
    updated_at: datetime

    @property
    def about(self) -> dict[str, Any]:
        """As Environment.describe takes it."""
        return {"description": self.description, "tags": list(self.tags), "is_template": self.is_template}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFilter:
    """None leaves open. search: part of the name, the description, the family or a tag. tags: all of them."""

    search: str | None = None
    family: str | None = None
    model_type: str | None = None
    tags: Sequence[str] = ()
    is_template: bool | None = None


EVERY_ENVIRONMENT = EnvironmentFilter()


@dataclass(frozen=True, slots=True)
class VersionRow:
    """via: through what it was made, for example session, key or file."""

    number: int
    at: datetime
    author: UUID | None
    via: str
    changes: list[Change]
    restored: int | None


def project(session: Session, event: Noun.Event, position: int) -> None:
    match event:
        case Environment.Created():
            _insert(session, event, position)
        case Environment.ConfigChanged():
            _change(session, event, position)
        case Environment.Renamed():
            values = {"name": event.name, "name_key": event.name.casefold(), "updated_at": event.timestamp}
            _keep_name_unique(session, update(environments).where(environments.c.id == event.originator_id), values)
        case Environment.Described():
            _describe(session, event)
        case Environment.Deleted():
            session.execute(delete(environments).where(environments.c.id == event.originator_id))
            for table in (environment_tags, environment_versions):
                session.execute(delete(table).where(table.c.environment_id == event.originator_id))


def _insert(session: Session, event: Environment.Created, position: int) -> None:
    values = {
        "id": event.originator_id,
        "name": event.name,
        "name_key": event.name.casefold(),
        "revision": 1,
        "dataset_ids": [str(dataset_id) for dataset_id in event.dataset_ids],
        "owner": event.by,
        "updated_at": event.timestamp,
        "position": position,
        **UNDESCRIBED,
        **_kind_of(event.config),
    }
    _keep_name_unique(session, insert(environments), values)
    _insert_version(session, event, position, number=1, changes=changes_between({}, event.config))


def _change(session: Session, event: Environment.ConfigChanged, position: int) -> None:
    row = session.execute(select(environments).where(environments.c.id == event.originator_id)).one()
    session.execute(
        update(environments)
        .where(environments.c.id == event.originator_id)
        .values(
            revision=row.revision + 1,
            dataset_ids=[str(dataset_id) for dataset_id in event.dataset_ids],
            updated_at=event.timestamp,
            **_kind_of(apply_changes(row.config, event.changes)),
        )
    )
    changes = list(event.changes)
    if event.dataset_ids != event.dataset_ids_before:
        before, after = ([str(each) for each in ids] for ids in (event.dataset_ids_before, event.dataset_ids))
        changes.append(Change(key=DATASETS_KEY, before=before, after=after))
    restored = event.restored if isinstance(event, Environment.Restored) else None
    _insert_version(session, event, position, number=row.revision + 1, changes=changes, restored=restored)


def _describe(session: Session, event: Environment.Described) -> None:
    values = {**apply_changes({}, event.changes), "updated_at": event.timestamp}
    session.execute(update(environments).where(environments.c.id == event.originator_id).values(**values))
    if "tags" in values:
        session.execute(delete(environment_tags).where(environment_tags.c.environment_id == event.originator_id))
        for key in {tag.casefold() for tag in values["tags"]}:
            session.execute(insert(environment_tags).values(environment_id=event.originator_id, tag_key=key))


def _insert_version(
    session: Session,
    event: Environment.Event,
    position: int,
    *,
    number: int,
    changes: list[Change],
    restored: int | None = None,
) -> None:
    session.execute(
        insert(environment_versions).values(
            position=position,
            environment_id=event.originator_id,
            number=number,
            at=event.timestamp,
            author=event.by,
            via=event.via,
            changes=changes,
            restored=restored,
        )
    )


def _kind_of(config: dict[str, Any]) -> dict[str, Any]:
    """What lists show of a configuration; a default counts where nothing is written."""
    default = TrainingConfig.model_fields["model_type"].default
    return {
        "config": config,
        "family": str(config.get("model_family", "")),
        "model_type": str(config.get("model_type", default)),
    }


def _keep_name_unique(session: Session, statement: Any, values: dict[str, Any]) -> None:
    try:
        session.execute(statement.values(**values))
    except IntegrityError as error:
        raise NameTaken(f"there is an environment named {values['name']!r} already", path=("name",)) from error


def find_environment(session: Session, environment_id: UUID) -> EnvironmentRow | None:
    row = session.execute(select(environments).where(environments.c.id == environment_id)).first()
    return None if row is None else _make(row)


def find_environments(session: Session, ids: Sequence[UUID]) -> list[EnvironmentRow | None]:
    """In the order asked for, with None for those that do not exist."""
    rows = session.execute(select(environments).where(environments.c.id.in_(ids)))
    by_id = {row.id: _make(row) for row in rows}
    return [by_id.get(environment_id) for environment_id in ids]


def find_environment_named(session: Session, name: str) -> EnvironmentRow | None:
    row = session.execute(select(environments).where(environments.c.name_key == name.strip().casefold())).first()
    return None if row is None else _make(row)


def environments_using(session: Session, dataset_id: UUID) -> list[EnvironmentRow]:
    """Those that train on a dataset, by name."""
    rows = session.execute(select(environments).order_by(environments.c.name_key)).all()
    return [_make(row) for row in rows if str(dataset_id) in row.dataset_ids]


def find_default_environment(session: Session) -> EnvironmentRow | None:
    """The one whose options count in those that ask for it."""
    return find_environment_named(session, DEFAULT_ENVIRONMENT)


def environments_wanting_defaults(session: Session) -> list[EnvironmentRow]:
    """Those that the environment `default` counts for, by name."""
    rows = session.execute(select(environments).order_by(environments.c.name_key)).all()
    return [_make(row) for row in rows if wants_defaults(row.config) and not is_default_environment(row.name)]


def taken_names(session: Session, names: Sequence[str]) -> set[str]:
    """Those of the names, without case, that environments have."""
    keys = [name.casefold() for name in names]
    return set(session.scalars(select(environments.c.name_key).where(environments.c.name_key.in_(keys))))


def list_environments(
    session: Session,
    rights: Rights,
    *,
    first: int,
    after: int | None,
    filter: EnvironmentFilter = EVERY_ENVIRONMENT,
) -> Page[EnvironmentRow]:
    """Those that may be seen."""
    return read_page(
        session,
        environments,
        order=environments.c.position,
        where=[*visible(rights, environments, ResourceKind.ENVIRONMENT), *_conditions(filter)],
        first=first,
        after=after,
        make=_make,
    )


def _conditions(filter: EnvironmentFilter) -> list[ColumnElement[bool]]:
    conditions = [_is_tagged(environment_tags.c.tag_key == tag.casefold()) for tag in filter.tags]
    if filter.family is not None:
        conditions.append(environments.c.family == filter.family)
    if filter.model_type is not None:
        conditions.append(environments.c.model_type == filter.model_type)
    if filter.is_template is not None:
        conditions.append(environments.c.is_template == filter.is_template)
    for word in (filter.search or "").casefold().split():
        places = (environments.c.name_key, func.lower(environments.c.description), environments.c.family)
        found = [place.contains(word, autoescape=True) for place in places]
        conditions.append(or_(*found, _is_tagged(environment_tags.c.tag_key.contains(word, autoescape=True))))
    return conditions


def _is_tagged(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(environment_tags.c.environment_id == environments.c.id, condition)


def list_versions(session: Session, environment_id: UUID, *, first: int, after: int | None) -> Page[VersionRow]:
    return read_page(
        session,
        environment_versions,
        order=environment_versions.c.position,
        where=[environment_versions.c.environment_id == environment_id],
        first=first,
        after=after,
        make=_make_version,
    )


def changes_after(session: Session, environment_id: UUID, *, number: int, upto: int | None = None) -> list[Change]:
    """What the versions behind `number`, up to `upto`, come to, as one change of each option that is not what it was."""
    rows = session.execute(
        select(environment_versions)
        .where(environment_versions.c.environment_id == environment_id, environment_versions.c.number > number)
        .order_by(environment_versions.c.number)
    )
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for row in rows:
        if upto is None or row.number <= upto:
            _follow(before, after, row.changes)
    return changes_between(before, after)


def _follow(before: dict[str, Any], after: dict[str, Any], changes: list[Change]) -> None:
    """Carry values on; before keeps the first ones, of options that were not met earlier."""
    for change in changes:
        key = change["key"]
        if "before" in change and key not in before and key not in after:
            before[key] = change["before"]
        after.pop(key, None)
        if "after" in change:
            after[key] = change["after"]


def last_versions(session: Session, environment_id: UUID) -> dict[str, VersionRow]:
    """By option, the version that changed it last."""
    rows = session.execute(
        select(environment_versions)
        .where(environment_versions.c.environment_id == environment_id)
        .order_by(environment_versions.c.number)
    )
    return {change["key"]: _make_version(row) for row in rows for change in row.changes}


def _make_version(row: Row[Any]) -> VersionRow:
    return VersionRow(
        number=row.number, at=row.at, author=row.author, via=row.via, changes=row.changes, restored=row.restored
    )


def _make(row: Row[Any]) -> EnvironmentRow:
    return EnvironmentRow(
        id=row.id,
        name=row.name,
        revision=row.revision,
        config=row.config,
        dataset_ids=tuple(UUID(each) for each in row.dataset_ids),
        family=row.family,
        model_type=row.model_type,
        description=row.description,
        tags=tuple(row.tags),
        is_template=row.is_template,
        owner=row.owner,
        updated_at=row.updated_at,
    )
