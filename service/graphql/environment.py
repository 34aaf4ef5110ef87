"""Environments, their versions, and the examples they can be made from."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from domain.access import Resource, ResourceKind
from domain.application import AlongNew
from domain.config.changes import Change as RecordedChange
from domain.config.changes import reverse_change, undo_changes
from domain.config.training import TrainingConfig
from domain.environment import DATASETS_KEY
from domain.errors import InvalidInput, NotFound
from service.access.config_rights import check_dataset_rights, check_training_rights
from service.access.viewer import Viewer
from service.cursors import decode_position
from service.examples import find_example, list_examples
from service.graphql.connections import Connection, check_first, connect
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.dataset import Dataset, environment_resource
from service.graphql.errors import UserError
from service.graphql.inputs import existing, json_object
from service.graphql.node import Node
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Does, Lists, Makes, Needs, Shows, check_name
from service.graphql.scalars import Cursor, decode_id, encode_id
from service.graphql.user import User, load_person
from service.idempotency import run_once
from service.parts import Parts
from service.read_models.dataset import find_dataset_named, find_datasets
from service.read_models.environment import (
    EVERY_ENVIRONMENT,
    EnvironmentRow,
    VersionRow,
    changes_after,
    find_environment,
    find_environment_named,
    last_versions,
    list_environments,
    list_versions,
)
from service.read_models.environment import EnvironmentFilter as EnvironmentRows


@strawberry.type(description="An option that was changed; null where it was, or is, not set.")
class Change:
    key: str = strawberry.field(description="The option, or `datasets`.")
    before: JSON | None = strawberry.field(description="Its earlier value.")
    after: JSON | None = strawberry.field(description="Its new value.")

    @classmethod
    def of(cls, change: RecordedChange) -> "Change":
        return cls(key=change["key"], before=cast(JSON, change.get("before")), after=cast(JSON, change.get("after")))


@strawberry.type(description="One version of an environment: who changed what, and when.")
class EnvironmentVersion:
    row: strawberry.Private[VersionRow]
    number: int = strawberry.field(description="From 1.")
    at: datetime = strawberry.field(description="When it was made.")
    summary: str = strawberry.field(description="What changed, in a line.")
    restored: int | None = strawberry.field(description="The version that was brought back; null for other changes.")
    changes: list[Change] = strawberry.field(description="By option, in alphabetical order.")

    @strawberry.field(description="Who made it; null for the service itself.")
    async def author(self, info: Info) -> User | None:
        return await load_person(info, self.row.author)

    @classmethod
    def of(cls, row: VersionRow) -> "EnvironmentVersion":
        return cls(
            row=row,
            number=row.number,
            at=row.at,
            summary=summarise(row),
            restored=row.restored,
            changes=[Change.of(change) for change in row.changes],
        )


def summarise(row: VersionRow) -> str:
    if row.number == 1:
        return "created"
    if row.restored is not None:
        return f"brought back version {row.restored}"
    keys = [change["key"] for change in row.changes]
    return f"changed {', '.join(keys[:5])}" + (" …" if len(keys) > 5 else "")


@strawberry.type(description="Which version set an option to what it is.")
class LastChange:
    key: str = strawberry.field(description="The option, or `datasets`.")
    version: EnvironmentVersion = strawberry.field(description="The version that changed it last, with who and when.")


@strawberry.type(description="A named, versioned training configuration with its datasets.")
class Environment(Node):
    row: strawberry.Private[EnvironmentRow]
    name: str = strawberry.field(description="Unique among environments.")
    version: int = strawberry.field(description="Counts the changes of its configuration and datasets, from 1.")
    family: str = strawberry.field(description="Which architecture it trains.")
    model_type: str = strawberry.field(description="What it trains, for example lora.")
    updated_at: datetime = strawberry.field(description="Its last change.")
    config: JSON = strawberry.field(description="The options that were chosen, as in config.json.")

    @strawberry.field(description="Every option with its value and where that comes from: environment or default.")
    def effective_config(self) -> JSON:
        written = self.row.config
        effective = {
            key: {"value": written[key], "source": "environment"}
            if key in written
            else {"value": None if info.is_required() else info.default, "source": "default"}
            for key, info in TrainingConfig.model_fields.items()
        }
        return cast(JSON, effective)

    @strawberry.field(description="What it trains on, in order.", extensions=[Shows(ResourceKind.DATASET)])
    async def datasets(self, info: Info) -> list[Dataset]:
        rows = await read(info, lambda session: find_datasets(session, self.row.dataset_ids))
        return [Dataset.of(row) for row in rows]

    @strawberry.field(description="All its versions, newest first.")
    async def versions(self, info: Info, first: int, after: Cursor | None = None) -> Connection[EnvironmentVersion]:
        size, position = check_first(first), decode_position(after)
        page = await read(info, lambda session: list_versions(session, self.row.id, first=size, after=position))
        return connect(page, EnvironmentVersion.of)

    @strawberry.field(description="For each option that was ever set, the version that changed it last.")
    async def last_changes(self, info: Info) -> list[LastChange]:
        found = await read(info, lambda session: last_versions(session, self.row.id))
        return [LastChange(key=key, version=EnvironmentVersion.of(row)) for key, row in sorted(found.items())]

    @strawberry.field(description="What leads from one version to another, in either direction.")
    async def difference(self, info: Info, from_version: int, to_version: int) -> list[Change]:
        for name, number in (("fromVersion", from_version), ("toVersion", to_version)):
            if not 1 <= number <= self.row.revision:
                raise InvalidInput(f"{name} is {number} but there are versions 1 to {self.row.revision}", path=(name,))
        older, newer = sorted((from_version, to_version))
        changes = await read(info, lambda session: changes_after(session, self.row.id, number=older, upto=newer))
        return [Change.of(change if from_version == older else reverse_change(change)) for change in changes]

    @property
    def resource(self) -> Resource:
        return environment_resource(self.row)

    @classmethod
    def of(cls, row: EnvironmentRow) -> "Environment":
        return cls(
            row=row,
            id=encode_id("Environment", row.id),
            name=row.name,
            version=row.revision,
            family=row.family,
            model_type=row.model_type,
            updated_at=row.updated_at,
            config=cast(JSON, row.config),
        )


@strawberry.type(description="A ready environment to begin from.")
class Example:
    key: str = strawberry.field(description="Give it to createEnvironment.")
    name: str = strawberry.field(description="For people.")
    description: str = strawberry.field(description="What it teaches the model.")
    family: str = strawberry.field(description="Which architecture it trains.")


@strawberry.input(description="Which environments to list.")
class EnvironmentFilter:
    search: str | None = strawberry.field(
        default=None, description="Words that each are part of the name, the description, the family or a tag."
    )
    family: str | None = strawberry.field(default=None, description="Which architecture it trains.")
    model_type: str | None = strawberry.field(default=None, description="What it trains, for example lora.")
    tags: list[str] | None = strawberry.field(default=None, description="All of these tags.")
    templates: bool | None = strawberry.field(default=None, description="Only templates, or none.")

    @property
    def rows(self) -> EnvironmentRows:
        return EnvironmentRows(
            search=self.search,
            family=self.family,
            model_type=self.model_type,
            tags=self.tags or (),
            is_template=self.templates,
        )


@strawberry.type(description="An environment, or why not.")
class EnvironmentPayload:
    environment: Environment | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="An environment to be made from a configuration, an example or another environment.")
class CreateEnvironmentInput:
    name: str = strawberry.field(description="Unique among environments.")
    config: JSON | None = strawberry.field(default=None, description="Options as in config.json.")
    example: str | None = strawberry.field(default=None, description="Key of an example; its datasets are made, too.")
    copy_of: strawberry.ID | None = strawberry.field(default=None, description="Another environment.")
    dataset_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="What to train on, in order.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key creates it once.")


@strawberry.input(description="A change of an environment.")
class UpdateEnvironmentInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    expected_version: int = strawberry.field(
        description="The version that the change was made from; it conflicts with later changes of the same options."
    )
    set: JSON | None = strawberry.field(default=None, description="Options with their new values.")
    unset: list[str] | None = strawberry.field(default=None, description="Options to be left to their default.")
    dataset_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Null keeps the datasets.")


@strawberry.input(description="A version to be brought back.")
class RestoreEnvironmentInput:
    id: strawberry.ID = strawberry.field(description="Of which environment.")
    version: int = strawberry.field(description="Its options and datasets become a new version.")


@strawberry.input(description="A new name for an environment.")
class RenameEnvironmentInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    name: str = strawberry.field(description="Unique among environments.")


@strawberry.input(description="An environment to be deleted; its runs stay.")
class DeleteEnvironmentInput:
    id: strawberry.ID = strawberry.field(description="Which one.")


async def load_environment(info: Info, given: strawberry.ID) -> Environment | None:
    environment_id = decode_id("Environment", given)
    row = await read(info, lambda session: find_environment(session, environment_id))
    return Environment.of(row) if row else None


@strawberry.type
class EnvironmentQuery:
    @strawberry.field(description="Ready environments to begin from.", extensions=[Needs("config.view")])
    async def examples(self, info: Info) -> list[Example]:
        found = await asyncio.to_thread(list_examples, info.context.parts.settings.examples)
        return [
            Example(key=each.key, name=each.name, description=each.description, family=each.family) for each in found
        ]

    @strawberry.field(description="Environments, newest first.", extensions=[Lists(ResourceKind.ENVIRONMENT)])
    async def environments(
        self, info: Info, first: int, after: Cursor | None = None, filter: EnvironmentFilter | None = None
    ) -> Connection[Environment]:
        size, position = check_first(first), decode_position(after)
        rows = filter.rows if filter else EVERY_ENVIRONMENT
        rights = signed_in(info).rights
        page = await read(
            info,
            lambda session: list_environments(session, rights, first=size, after=position, filter=rows),
        )
        return connect(page, Environment.of)

    @strawberry.field(
        description="One environment by id or by name; null when there is none.",
        extensions=[Shows(ResourceKind.ENVIRONMENT)],
    )
    async def environment(
        self, info: Info, id: strawberry.ID | None = None, name: str | None = None
    ) -> Environment | None:
        if id is not None and name is None:
            return await load_environment(info, id)
        if id is None and name is not None:
            row = await read(info, lambda session: find_environment_named(session, name))
            return Environment.of(row) if row else None
        raise InvalidInput("give either id or name", path=("id",))


@strawberry.type
class EnvironmentMutation:
    @strawberry.mutation(
        description="Make an environment.",
        extensions=[Makes("config.create", ResourceKind.ENVIRONMENT, argument="input.name")],
    )
    async def create_environment(self, info: Info, input: CreateEnvironmentInput) -> EnvironmentPayload:
        viewer = signed_in(info)
        parts = info.context.parts

        def work() -> EnvironmentPayload:
            environment_id = run_once(
                parts.database,
                key=input.idempotency_key,
                user_id=viewer.user.id,
                operation="createEnvironment",
                given={
                    "name": input.name,
                    "config": input.config,
                    "example": input.example,
                    "copyOf": input.copy_of,
                    "datasetIds": input.dataset_ids,
                },
                work=lambda along: _create(parts, viewer, input, along),
            )
            return _payload(info, environment_id)

        return await answer(EnvironmentPayload, work)

    @strawberry.mutation(
        description="Change options or datasets; each change is a version.",
        extensions=[Does("config.edit", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def update_environment(self, info: Info, input: UpdateEnvironmentInput) -> EnvironmentPayload:
        viewer = signed_in(info)

        def work() -> EnvironmentPayload:
            row = _existing(info, input.id)
            parts = info.context.parts
            changed, unset = json_object(input.set, path="set"), input.unset or ()
            check_training_rights(viewer.rights, parts.settings, row.config, changed, unset)
            parts.application.change_environment(
                viewer.actor,
                row.id,
                expected_revision=input.expected_version,
                set=changed,
                unset=unset,
                dataset_ids=None if input.dataset_ids is None else _dataset_ids(parts, viewer, input.dataset_ids),
            )
            return _payload(info, row.id)

        return await answer(EnvironmentPayload, work)

    @strawberry.mutation(
        description="Bring a version back: its options and datasets become a new version.",
        extensions=[Does("config.edit", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def restore_environment(self, info: Info, input: RestoreEnvironmentInput) -> EnvironmentPayload:
        viewer = signed_in(info)

        def work() -> EnvironmentPayload:
            row = _existing(info, input.id)
            parts = info.context.parts
            with parts.database.reading() as session:
                changes = changes_after(session, row.id, number=input.version)
            restored = undo_changes(row.config, [each for each in changes if each["key"] != DATASETS_KEY])
            check_training_rights(viewer.rights, parts.settings, row.config, restored)
            parts.application.restore_environment(viewer.actor, row.id, revision=input.version)
            return _payload(info, row.id)

        return await answer(EnvironmentPayload, work)

    @strawberry.mutation(
        description="Give an environment another name.",
        extensions=[Does("config.edit", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def rename_environment(self, info: Info, input: RenameEnvironmentInput) -> EnvironmentPayload:
        viewer = signed_in(info)

        def work() -> EnvironmentPayload:
            row = _existing(info, input.id)
            check_name(viewer, "config.edit", ResourceKind.ENVIRONMENT, input.name)
            info.context.parts.application.rename_environment(viewer.actor, row.id, name=input.name)
            return _payload(info, row.id)

        return await answer(EnvironmentPayload, work)

    @strawberry.mutation(
        description="Delete an environment; its runs stay.",
        extensions=[Does("config.delete", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def delete_environment(self, info: Info, input: DeleteEnvironmentInput) -> DeletePayload:
        viewer = signed_in(info)

        def work() -> DeletePayload:
            row = _existing(info, input.id)
            info.context.parts.application.delete_environment(viewer.actor, row.id)
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)


def _create(parts: Parts, viewer: Viewer, input: CreateEnvironmentInput, along: AlongNew | None) -> UUID:
    config, dataset_ids, new_datasets = _beginning(parts, viewer, input)
    check_training_rights(viewer.rights, parts.settings, {}, config)
    for name, dataset in new_datasets.items():
        check_name(viewer, "config.create", ResourceKind.DATASET, name)
        check_dataset_rights(viewer.rights, parts.settings, {}, dataset)
    return parts.application.create_environment(
        viewer.actor,
        name=input.name,
        config=config,
        dataset_ids=dataset_ids,
        new_datasets=new_datasets,
        along=along,
    )


def _beginning(
    parts: Parts, viewer: Viewer, input: CreateEnvironmentInput
) -> tuple[dict[str, Any], Sequence[UUID], dict[str, dict[str, Any]]]:
    """Configuration, existing datasets, and datasets to be made with it. Raises InvalidInput, NotFound."""
    sources = [name for name in ("config", "example", "copy_of") if getattr(input, name) is not None]
    if len(sources) != 1:
        raise InvalidInput("give exactly one of config, example and copyOf", path=("config",))
    chosen = None if input.dataset_ids is None else _dataset_ids(parts, viewer, input.dataset_ids)
    if input.example is not None:
        return _from_example(parts, input.example, chosen)
    if input.copy_of is not None:
        source_id = decode_id("Environment", input.copy_of, path="copyOf")
        with parts.database.reading() as session:
            found = find_environment(session, source_id)
        is_seen = found is not None and viewer.rights.may_see(environment_resource(found))
        source = existing(found if is_seen else None, "environment", path="copyOf")
        return source.config, source.dataset_ids if chosen is None else chosen, {}
    return json_object(input.config, path="config"), chosen or (), {}


def _from_example(
    parts: Parts, key: str, chosen: Sequence[UUID] | None
) -> tuple[dict[str, Any], Sequence[UUID], dict[str, dict[str, Any]]]:
    """An example brings its datasets; one that was made before, from the same folder, is used again."""
    example = find_example(parts.settings.examples, key)
    if chosen is not None:
        return example.config, chosen, {}
    known: list[UUID] = []
    missing: dict[str, dict[str, Any]] = {}
    with parts.database.reading() as session:
        for name, config in example.datasets.items():
            row = find_dataset_named(session, name)
            if row is None:
                missing[name] = config
            elif row.config.get("instance_data_dir") == config.get("instance_data_dir"):
                known.append(row.id)
            else:
                missing[_free_name(session, name)] = config
    return example.config, known, missing


def _free_name(session: Any, name: str) -> str:
    number = 2
    while find_dataset_named(session, f"{name}-{number}"):
        number += 1
    return f"{name}-{number}"


def _dataset_ids(parts: Parts, viewer: Viewer, given: Sequence[strawberry.ID]) -> list[UUID]:
    """Raises NotFound, also for those that the viewer may not see."""
    ids = [decode_id("Dataset", each, path="datasetIds") for each in given]
    with parts.database.reading() as session:
        rows = find_datasets(session, ids)
    seen = {row.id for row in rows if viewer.rights.may_see(Resource(ResourceKind.DATASET, row.name, row.owner))}
    if not seen >= set(ids):
        raise NotFound("there is no dataset with one of these ids", path=("datasetIds",))
    return ids


def _existing(info: Info, given: strawberry.ID) -> EnvironmentRow:
    """Raises NotFound."""
    environment_id = decode_id("Environment", given)
    with info.context.parts.database.reading() as session:
        return existing(find_environment(session, environment_id), "environment")


def _payload(info: Info, environment_id: UUID) -> EnvironmentPayload:
    with info.context.parts.database.reading() as session:
        row = find_environment(session, environment_id)
    return EnvironmentPayload(environment=Environment.of(row) if row else None)
