"""Environments from the configurations of other tools."""

from typing import cast

import strawberry
from strawberry.scalars import JSON

from domain.errors import InvalidInput
from service.graphql.context import Info, answer, signed_in
from service.graphql.dataset import Dataset
from service.graphql.environment import Environment
from service.graphql.errors import UserError
from service.graphql.payloads import no_errors
from service.graphql.rules import Needs, environment_resource
from service.importers.creation import Importer, ImportStatus, Outcome
from service.importers.findings import Dropped, Mapped, Unmapped
from service.parts import Parts
from service.read_models.dataset import find_datasets
from service.read_models.environment import find_environment

strawberry.enum(ImportStatus, description="What became of a file.")


@strawberry.type(description="A key that was taken over.")
class MappedKey:
    key: str | None = strawberry.field(
        description="In the file; null for what is not in it, but a default of the tool that wrote it."
    )
    target: str = strawberry.field(description="The option here, or the key of a dataset.")
    value: JSON | None = strawberry.field(description="What it has now.")
    note: str = strawberry.field(description="What was converted, and by which rule; empty when nothing was.")

    @classmethod
    def of(cls, found: Mapped) -> "MappedKey":
        return cls(key=found.key, target=found.target, value=cast(JSON, found.value), note=found.note)


@strawberry.type(description="A key that counts for nothing here.")
class DroppedKey:
    key: str = strawberry.field(description="In the file.")
    reason: str = strawberry.field(description="Why it is not needed.")

    @classmethod
    def of(cls, found: Dropped) -> "DroppedKey":
        return cls(key=found.key, reason=found.reason)


@strawberry.type(description="A key that could not be taken over; somebody should look at it.")
class UnmappedKey:
    key: str = strawberry.field(description="In the file.")
    value: JSON | None = strawberry.field(description="In the file; dots in place of a secret.")
    reason: str = strawberry.field(description="Why it was not taken over, and what there is instead.")

    @classmethod
    def of(cls, found: Unmapped) -> "UnmappedKey":
        return cls(key=found.key, value=cast(JSON, found.value), reason=found.reason)


@strawberry.type(
    description="What one file describes, and what became of it. Every key of the file is in one of the lists."
)
class ImportResult:
    source: str = strawberry.field(description="The file, by its place below the path.")
    format: str | None = strawberry.field(description="Of which tool it is; null when none was recognised.")
    status: ImportStatus = strawberry.field(description="Whether it was made, or could be.")
    name: str = strawberry.field(description="What the environment is called, or would be.")
    environment: Environment | None = strawberry.field(
        description="What was made of it, now or before; null when it only describes datasets, or nothing was made."
    )
    datasets: list[Dataset] = strawberry.field(description="Made with it, or found to be the same.")
    config: JSON = strawberry.field(description="The options it comes to, as in config.json.")
    dataset_configs: JSON = strawberry.field(description="The datasets it comes to, as in multidatabackend.json.")
    mapped: list[MappedKey] = strawberry.field(description="Keys that were taken over.")
    dropped: list[DroppedKey] = strawberry.field(description="Keys that count for nothing here.")
    unmapped: list[UnmappedKey] = strawberry.field(description="Keys that somebody should look at.")
    problems: list[str] = strawberry.field(description="What to know or to do, for people.")


@strawberry.type(description="What became of each file, or why nothing was read.")
class ImportPayload:
    results: list[ImportResult] = strawberry.field(default_factory=list, description="One for each configuration.")
    errors: list[UserError] = no_errors()


@strawberry.input(description="A file that was picked or pasted.")
class ImportFile:
    name: str = strawberry.field(description="Its name; files that name each other are found by it.")
    content: str = strawberry.field(description="Its text.")


@strawberry.input(description="Configurations to be imported: a path of the machine of the service, or files.")
class ImportEnvironmentsInput:
    path: str | None = strawberry.field(default=None, description="A file, or a folder with everything in it.")
    files: list[ImportFile] | None = strawberry.field(default=None, description="In place of a path.")
    dry_run: bool = strawberry.field(default=False, description="Show what would be made, and make nothing.")
    format: str | None = strawberry.field(default=None, description="Of which tool; told by the content when null.")
    name: str | None = strawberry.field(default=None, description="For the environment, in place of its own.")
    idempotency_key: str | None = strawberry.field(default=None, description="The same key creates them once.")


@strawberry.type
class ImportMutation:
    @strawberry.mutation(
        description="Make environments and datasets of configurations of SimpleTuner, sd-scripts, kohya_ss, ai-toolkit, "
        "OneTrainer, and of command lines of diffusers' examples.",
        extensions=[Needs("config.create")],
    )
    async def import_environments(self, info: Info, input: ImportEnvironmentsInput) -> ImportPayload:
        viewer = signed_in(info)
        parts = info.context.parts
        importer = Importer(
            settings=parts.settings,
            database=parts.database,
            application=parts.application,
            actor=viewer.actor,
            rights=viewer.rights,
        )

        def work() -> ImportPayload:
            if (input.path is None) == (input.files is None):
                raise InvalidInput("give either path or files", path=("path",))
            if input.path is not None:
                found = importer.read_path(input.path, format=input.format)
            else:
                given = [(file.name, file.content) for file in input.files or ()]
                found = importer.read_picked(given, format=input.format)
            outcomes = [
                importer.make(each, dry_run=input.dry_run, name=input.name, idempotency_key=input.idempotency_key)
                for each in found
            ]
            return ImportPayload(results=[_result(parts, importer, each) for each in outcomes])

        return await answer(ImportPayload, work)


def _result(parts: Parts, importer: Importer, outcome: Outcome) -> ImportResult:
    imported = outcome.imported
    with parts.database.reading() as session:
        row = find_environment(session, outcome.environment_id) if outcome.environment_id else None
        datasets = [Dataset.of(each) for each in find_datasets(session, outcome.dataset_ids)]
    rights = importer.rights
    is_seen = row is not None and (rights is None or rights.may_see(environment_resource(row)))
    return ImportResult(
        source=imported.source,
        format=imported.format,
        status=outcome.status,
        name=outcome.name,
        environment=Environment.of(row) if row is not None and is_seen else None,
        datasets=[each for each in datasets if rights is None or rights.may_see(each.resource)],
        config=cast(JSON, dict(imported.config)),
        dataset_configs=cast(JSON, imported.entries),
        mapped=[MappedKey.of(each) for each in imported.mapped],
        dropped=[DroppedKey.of(each) for each in imported.dropped],
        unmapped=[UnmappedKey.of(each) for each in imported.unmapped],
        problems=list(outcome.problems),
    )
