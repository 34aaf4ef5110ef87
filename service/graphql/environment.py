"""Environments, their versions, and the examples they can be made from."""

import asyncio
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from domain.access import Resource, ResourceKind
from domain.config.changes import reverse_change, undo_changes
from domain.config.effective import is_default_environment, sourced_config, wants_defaults
from domain.config.unused import unused_options
from domain.environment import DATASETS_KEY
from domain.errors import InUse, InvalidInput
from service.access.config_rights import check_training_rights
from service.access.viewer import Viewer
from service.cursors import decode_position
from service.downloads import config_url, zip_url
from service.environment_names import unused_name
from service.examples import list_examples
from service.graphql.connections import Connection, check_first, connect
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.dataset import Dataset
from service.graphql.environment_beginnings import CreateEnvironmentInput, chosen_datasets, create
from service.graphql.environment_versions import Change, EnvironmentVersion, LastChange
from service.graphql.errors import UserError
from service.graphql.inputs import existing, json_object
from service.graphql.node import Node
from service.graphql.options import UnusedOption
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Does, Lists, Makes, Needs, Shows, check_name, environment_resource, may
from service.graphql.scalars import Cursor, decode_id, encode_id
from service.graphql.user import User, load_person
from service.idempotency import run_once
from service.mirror.files import list_folder_problems
from service.mirror.loose_files import environment_name
from service.read_models.environment import (
    EVERY_ENVIRONMENT,
    EnvironmentRow,
    changes_after,
    environments_wanting_defaults,
    find_environment,
    find_environment_named,
    last_versions,
    list_environments,
    list_versions,
)
from service.read_models.environment import EnvironmentFilter as EnvironmentRows


@strawberry.type(description="A named, versioned training configuration with its datasets.")
class Environment(Node):
    row: strawberry.Private[EnvironmentRow]
    name: str = strawberry.field(description="Unique among environments.")
    version: int = strawberry.field(description="Counts the changes of its configuration and datasets, from 1.")
    family: str = strawberry.field(description="Which architecture it trains.")
    model_type: str = strawberry.field(description="What it trains, for example lora.")
    updated_at: datetime = strawberry.field(description="Its last change.")
    config: JSON = strawberry.field(description="The options that were chosen, as in config.json.")

    description: str = strawberry.field(description="What it is for.")
    tags: list[str] = strawberry.field(description="Words to find it by.")
    is_template: bool = strawberry.field(
        description="Meant to begin others from: give it to createEnvironment as copyOf."
    )
    download_url: str = strawberry.field(description="Its configuration as a config.json.")
    zip_url: str = strawberry.field(description="Its folder, in the layout that the command line reads.")

    @strawberry.field(
        description="Every option with its value and where that comes from: environment, default environment or default. "
        "The environment named default counts for those with merge_environment_config, and is open to all who see them."
    )
    async def effective_config(self, info: Info) -> JSON:
        default = None
        if wants_defaults(self.row.config) and not is_default_environment(self.row.name):
            default = await info.context.default_environment.load(None)
        return cast(JSON, sourced_config(self.row.config, default.config if default else None))

    @strawberry.field(description="What of its configuration is kept but does nothing in this version, by key.")
    def unused_options(self) -> list[UnusedOption]:
        return [UnusedOption.of(unused) for unused in unused_options(self.row.config)]

    @strawberry.field(description="Where its files are on the machine of the service; null until they are written.")
    async def folder(self, info: Info) -> str | None:
        files = await info.context.environment_files.load(self.row.id)
        return str(info.context.parts.settings.configs / files.folder) if files and files.folder else None

    @strawberry.field(
        description="Why its files and the environment do not agree, and what to do; null when they do. While a file cannot "
        "be understood, later changes are not written to it."
    )
    async def file_problem(self, info: Info) -> str | None:
        files = await info.context.environment_files.load(self.row.id)
        if files is not None:
            return files.problem
        return await info.context.folder_problems.load(self.row.name)

    @strawberry.field(
        description="Who made it; null for the service itself, the command line and what was made of files."
    )
    async def owner(self, info: Info) -> User | None:
        return await load_person(info, self.row.owner)

    @strawberry.field(description="Whether the viewer may change it.")
    def may_edit(self, info: Info) -> bool:
        return may(info, "config.edit", self)

    @strawberry.field(
        description="Whether the viewer may start runs of it; what else keeps it from starting, preflight says."
    )
    def may_start(self, info: Info) -> bool:
        return may(info, "job.submit", self)

    @strawberry.field(description="Whether the viewer may delete it.")
    def may_delete(self, info: Info) -> bool:
        return may(info, "config.delete", self)

    @strawberry.field(description="What it trains on, in order.", extensions=[Shows(ResourceKind.DATASET)])
    async def datasets(self, info: Info) -> list[Dataset]:
        rows = await info.context.datasets.load_many(self.row.dataset_ids)
        return [Dataset.of(row) for row in rows if row is not None]

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
            description=row.description,
            tags=list(row.tags),
            is_template=row.is_template,
            download_url=config_url(row.id),
            zip_url=zip_url(row.id),
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


@strawberry.input(description="What an environment is for; null leaves a field as it is.")
class DescribeEnvironmentInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    description: str | None = strawberry.field(default=None, description="In some sentences.")
    tags: list[str] | None = strawberry.field(default=None, description="Words to find it by.")


@strawberry.input(description="Whether others are meant to begin from an environment.")
class SetEnvironmentTemplateInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    is_template: bool = strawberry.field(description="Whether it is a template.")


@strawberry.type(description="A folder or file that could not become an environment, or is in the way of one.")
class FolderProblem:
    folder: str = strawberry.field(description="Its name below the folder of all environments.")
    problem: str = strawberry.field(description="What is wrong with it, and what to do.")


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
        description="Folders with a config.json, and configurations beside them, that stand for no environment, and why.",
        extensions=[Lists(ResourceKind.ENVIRONMENT)],
    )
    async def folder_problems(self, info: Info) -> list[FolderProblem]:
        rights = signed_in(info).rights
        found = await read(info, list_folder_problems)
        return [
            FolderProblem(folder=folder, problem=problem)
            for folder, problem in found
            if all(
                rights.may_see(Resource(ResourceKind.ENVIRONMENT, name)) for name in (folder, environment_name(folder))
            )
        ]

    @strawberry.field(description="A friendly name that no environment has.", extensions=[Needs("config.create")])
    async def random_environment_name(self, info: Info) -> str:
        return await read(info, unused_name)

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
                    **({"description": input.description} if input.description is not None else {}),
                    **({"tags": input.tags} if input.tags is not None else {}),
                },
                work=lambda along: create(parts, viewer, input, along),
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
                dataset_ids=None if input.dataset_ids is None else chosen_datasets(parts, viewer, input.dataset_ids),
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
            if not is_default_environment(input.name):
                _check_unneeded(info, viewer, row)
            info.context.parts.application.rename_environment(viewer.actor, row.id, name=input.name)
            return _payload(info, row.id)

        return await answer(EnvironmentPayload, work)

    @strawberry.mutation(
        description="Say what an environment is for; that is no new version.",
        extensions=[Does("config.edit", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def describe_environment(self, info: Info, input: DescribeEnvironmentInput) -> EnvironmentPayload:
        return await _describe(info, input.id, description=input.description, tags=input.tags)

    @strawberry.mutation(
        description="Make an environment a template, or no template any more.",
        extensions=[Does("config.edit", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def set_environment_template(self, info: Info, input: SetEnvironmentTemplateInput) -> EnvironmentPayload:
        return await _describe(info, input.id, is_template=input.is_template)

    @strawberry.mutation(
        description="Delete an environment; its runs stay.",
        extensions=[Does("config.delete", ResourceKind.ENVIRONMENT, argument="input.id")],
    )
    async def delete_environment(self, info: Info, input: DeleteEnvironmentInput) -> DeletePayload:
        viewer = signed_in(info)

        def work() -> DeletePayload:
            row = _existing(info, input.id)
            _check_unneeded(info, viewer, row)
            info.context.parts.application.delete_environment(viewer.actor, row.id)
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)


async def _describe(info: Info, given: strawberry.ID, **about: Any) -> EnvironmentPayload:
    viewer = signed_in(info)

    def work() -> EnvironmentPayload:
        row = _existing(info, given)
        info.context.parts.application.describe_environment(viewer.actor, row.id, **about)
        return _payload(info, row.id)

    return await answer(EnvironmentPayload, work)


def _check_unneeded(info: Info, viewer: Viewer, row: EnvironmentRow) -> None:
    """Raises InUse for the environment `default` while others take over what it says."""
    if not is_default_environment(row.name):
        return
    with info.context.parts.database.reading() as session:
        asking = environments_wanting_defaults(session)
    if asking:
        seen = [each.name for each in asking if viewer.rights.may_see(environment_resource(each))]
        by = ", ".join(seen[:5]) if len(seen) == len(asking) <= 5 else f"{len(asking)} environments"
        raise InUse(
            f"{by} take over what the environment {row.name!r} says; set merge_environment_config to false there first",
            path=("id",),
        )


def _existing(info: Info, given: strawberry.ID) -> EnvironmentRow:
    """Raises NotFound."""
    environment_id = decode_id("Environment", given)
    with info.context.parts.database.reading() as session:
        return existing(find_environment(session, environment_id), "environment")


def _payload(info: Info, environment_id: UUID) -> EnvironmentPayload:
    with info.context.parts.database.reading() as session:
        row = find_environment(session, environment_id)
    return EnvironmentPayload(environment=Environment.of(row) if row else None)
