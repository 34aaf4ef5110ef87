"""Datasets."""

import asyncio
from datetime import datetime
from typing import cast
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from domain.access import Resource, ResourceKind
from domain.errors import InUse
from service.access.config_rights import check_dataset_rights
from service.captions.history import list_edits
from service.cursors import decode_name, decode_position
from service.folders import count_files
from service.graphql.connections import Connection, check_first, connect
from service.graphql.context import Info, answer, read, signed_in
from service.graphql.dataset_captions import CaptionChange
from service.graphql.dataset_image import DatasetImage, DatasetImageFilter, no_images, read_images, wanted
from service.graphql.errors import UserError
from service.graphql.inputs import existing, json_object
from service.graphql.node import Node
from service.graphql.payloads import DeletePayload, no_errors
from service.graphql.rules import Does, Lists, Makes, Shows, environment_resource, may
from service.graphql.scalars import Cursor, decode_id, encode_id
from service.graphql.scan import AspectBucket, DatasetScan, ScanState, look_into_index, placer_of, read_scan
from service.graphql.user import User, load_person
from service.idempotency import run_once
from service.read_models.dataset import DatasetRow, find_dataset, list_datasets
from service.read_models.environment import environments_using
from service.scans.orders import order_scan
from service.scans.placing import excluded_names
from service.scans.report import read_buckets


@strawberry.type(description="Pictures with captions, and how often they count.")
class Dataset(Node):
    row: strawberry.Private[DatasetRow]
    name: str = strawberry.field(description="Unique among datasets.")
    version: int = strawberry.field(description="Counts its changes, from 1.")
    kind: str = strawberry.field(description="What it holds, for example image.")
    updated_at: datetime = strawberry.field(description="When it was last changed.")
    config: JSON = strawberry.field(description="Its entry in multidatabackend.json.")

    @strawberry.field(
        description="How many pictures it holds, by its newest scan, or else by what lies in its folder; null when nobody knows."
    )
    async def num_images(self, info: Info) -> int | None:
        scan = await read_scan(info.context.parts, self.row)
        if scan is not None and scan.num_total and scan.state is not ScanState.LISTING:
            return scan.num_total
        return await asyncio.to_thread(count_files, self.row.config)

    @strawberry.field(
        description="Who made it; null for the service itself, the command line and what was made of files."
    )
    async def owner(self, info: Info) -> User | None:
        return await load_person(info, self.row.owner)

    @strawberry.field(description="Whether the viewer may change it.")
    def may_edit(self, info: Info) -> bool:
        return may(info, "config.edit", self)

    @strawberry.field(description="Whether the viewer may delete it, once no environment uses it.")
    def may_delete(self, info: Info) -> bool:
        return may(info, "config.delete", self)

    @strawberry.field(description="Its newest scan; null when there was none.")
    async def scan(self, info: Info) -> DatasetScan | None:
        return await read_scan(info.context.parts, self.row)

    @strawberry.field(
        description="The sizes that training brings its pictures to, by an environment or by itself, the commonest first. "
        "Empty before it is scanned."
    )
    async def buckets(self, info: Info, environment_id: strawberry.ID | None = None) -> list[AspectBucket]:
        placer = await placer_of(info, self.row, environment_id)
        excluded = excluded_names(self.row.config)
        found = await look_into_index(
            info.context.parts, self.row.id, lambda index: read_buckets(index, placer, excluded)
        )
        return [
            AspectBucket(
                width=shape.size.width,
                height=shape.size.height,
                aspect=round(shape.size.width / shape.size.height, 2),
                num_frames=shape.num_frames,
                num_images=number,
            )
            for shape, number in found or ()
        ]

    @strawberry.field(
        description="Its pictures by name, as its scan knows them; environmentId: what training makes of them by this "
        "environment."
    )
    async def images(
        self,
        info: Info,
        first: int,
        after: Cursor | None = None,
        filter: DatasetImageFilter | None = None,
        environment_id: strawberry.ID | None = None,
    ) -> Connection[DatasetImage]:
        size, position = check_first(first), decode_name(after)
        placer = await placer_of(info, self.row, environment_id)
        condition = wanted(filter, self.row.id)
        found = await look_into_index(
            info.context.parts,
            self.row.id,
            lambda index: read_images(index, self.row, placer, condition, first=size, after=position),
        )
        return found or no_images()

    @strawberry.field(description="What was done to its captions, newest first.")
    async def caption_changes(self, info: Info, first: int, after: Cursor | None = None) -> Connection[CaptionChange]:
        size, position = check_first(first), decode_position(after)
        page = await read(info, lambda session: list_edits(session, self.row.id, first=size, after=position))
        return connect(page, lambda edit: CaptionChange.of(self.row, edit))

    @property
    def resource(self) -> Resource:
        return Resource(ResourceKind.DATASET, self.row.name, self.row.owner)

    @classmethod
    def of(cls, row: DatasetRow) -> "Dataset":
        return cls(
            row=row,
            id=encode_id("Dataset", row.id),
            name=row.name,
            version=row.revision,
            kind=str(row.config.get("dataset_type", "image")),
            updated_at=row.updated_at,
            config=cast(JSON, row.config),
        )


@strawberry.type(description="A dataset, or why not.")
class DatasetPayload:
    dataset: Dataset | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="A dataset to be made.")
class CreateDatasetInput:
    name: str = strawberry.field(description="Unique among datasets.")
    config: JSON = strawberry.field(description="The keys of an entry in multidatabackend.json.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key creates it once.")


@strawberry.input(description="A change of a dataset.")
class UpdateDatasetInput:
    id: strawberry.ID = strawberry.field(description="Which one.")
    expected_version: int = strawberry.field(description="The version that the change was made from.")
    set: JSON | None = strawberry.field(default=None, description="Keys with their new values.")
    unset: list[str] | None = strawberry.field(default=None, description="Keys to be removed.")


@strawberry.input(description="A dataset to be scanned.")
class ScanDatasetInput:
    id: strawberry.ID = strawberry.field(description="Which one.")


@strawberry.input(description="A dataset to be deleted; its pictures stay.")
class DeleteDatasetInput:
    id: strawberry.ID = strawberry.field(description="Which one.")


async def load_dataset(info: Info, given: strawberry.ID) -> Dataset | None:
    dataset_id = decode_id("Dataset", given)
    row = await read(info, lambda session: find_dataset(session, dataset_id))
    return Dataset.of(row) if row else None


@strawberry.type
class DatasetQuery:
    @strawberry.field(description="Datasets, newest first.", extensions=[Lists(ResourceKind.DATASET)])
    async def datasets(self, info: Info, first: int, after: Cursor | None = None) -> Connection[Dataset]:
        size, position = check_first(first), decode_position(after)
        rights = signed_in(info).rights
        page = await read(info, lambda session: list_datasets(session, rights, first=size, after=position))
        return connect(page, Dataset.of)

    @strawberry.field(
        description="One dataset; null when there is none with that id.", extensions=[Shows(ResourceKind.DATASET)]
    )
    async def dataset(self, info: Info, id: strawberry.ID) -> Dataset | None:
        return await load_dataset(info, id)


@strawberry.type
class DatasetMutation:
    @strawberry.mutation(
        description="Make a dataset from a folder.",
        extensions=[Makes("config.create", ResourceKind.DATASET, argument="input.name")],
    )
    async def create_dataset(self, info: Info, input: CreateDatasetInput) -> DatasetPayload:
        viewer = signed_in(info)
        parts = info.context.parts

        def work() -> DatasetPayload:
            config = json_object(input.config, path="config")
            check_dataset_rights(viewer.rights, parts.settings, {}, config)
            dataset_id = run_once(
                parts.database,
                key=input.idempotency_key,
                user_id=viewer.user.id,
                operation="createDataset",
                given={"name": input.name, "config": config},
                work=lambda along: parts.application.create_dataset(
                    viewer.actor, name=input.name, config=config, along=along
                ),
            )
            return _payload(info, dataset_id)

        return await answer(DatasetPayload, work)

    @strawberry.mutation(
        description="Change keys of a dataset; each change is a version.",
        extensions=[Does("config.edit", ResourceKind.DATASET, argument="input.id")],
    )
    async def update_dataset(self, info: Info, input: UpdateDatasetInput) -> DatasetPayload:
        viewer = signed_in(info)

        def work() -> DatasetPayload:
            row = _existing(info, input.id)
            changed, unset = json_object(input.set, path="set"), input.unset or ()
            check_dataset_rights(viewer.rights, info.context.parts.settings, row.config, changed, unset)
            info.context.parts.application.change_dataset(
                viewer.actor, row.id, expected_revision=input.expected_version, set=changed, unset=unset
            )
            return _payload(info, row.id)

        return await answer(DatasetPayload, work)

    @strawberry.mutation(
        description="Look at every picture of a dataset, or join the scan that is under way. Only what is new or has changed "
        "since the last one is read.",
        extensions=[Does("config.view", ResourceKind.DATASET, argument="input.id")],
    )
    async def scan_dataset(self, info: Info, input: ScanDatasetInput) -> DatasetPayload:
        viewer, parts = signed_in(info), info.context.parts

        def work() -> DatasetPayload:
            row = _existing(info, input.id)
            order_scan(parts.settings, row, requested_by=viewer.user.id)
            parts.bell.ring()
            return DatasetPayload(dataset=Dataset.of(row))

        return await answer(DatasetPayload, work)

    @strawberry.mutation(
        description="Delete a dataset that no environment uses; its pictures stay where they are.",
        extensions=[Does("config.delete", ResourceKind.DATASET, argument="input.id")],
    )
    async def delete_dataset(self, info: Info, input: DeleteDatasetInput) -> DeletePayload:
        viewer = signed_in(info)

        def work() -> DeletePayload:
            row = _existing(info, input.id)
            with info.context.parts.database.reading() as session:
                using = environments_using(session, row.id)
            if using:
                seen = [each.name for each in using if viewer.rights.may_see(environment_resource(each))]
                by = ", ".join(seen) if len(seen) == len(using) else ", ".join([*seen, "environments of others"])
                raise InUse(f"the dataset {row.name!r} is used by {by}; take it out there first", path=("id",))
            info.context.parts.application.delete_dataset(viewer.actor, row.id)
            return DeletePayload(deleted_id=input.id)

        return await answer(DeletePayload, work)


def _existing(info: Info, given: strawberry.ID) -> DatasetRow:
    """Raises NotFound."""
    dataset_id = decode_id("Dataset", given)
    with info.context.parts.database.reading() as session:
        return existing(find_dataset(session, dataset_id), "dataset")


def _payload(info: Info, dataset_id: UUID) -> DatasetPayload:
    with info.context.parts.database.reading() as session:
        row = find_dataset(session, dataset_id)
    return DatasetPayload(dataset=Dataset.of(row) if row else None)
