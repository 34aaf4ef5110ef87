"""Making an environment: from a configuration, an example, or another environment."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy.orm import Session
from strawberry.scalars import JSON

from domain.access import Resource, ResourceKind
from domain.application import AlongNew
from domain.environment import UNDESCRIBED
from domain.errors import InvalidInput, NotFound
from service.access.config_rights import check_dataset_rights, check_training_rights
from service.access.viewer import Viewer
from service.examples import find_example
from service.graphql.inputs import existing, json_object
from service.graphql.rules import check_name, environment_resource
from service.graphql.scalars import decode_id
from service.mirror.kept_entries import agreed_folder, keep_entries
from service.parts import Parts
from service.read_models.dataset import find_dataset_named, find_datasets
from service.read_models.environment import find_environment


@strawberry.input(description="An environment to be made from a configuration, an example or another environment.")
class CreateEnvironmentInput:
    name: str = strawberry.field(description="Unique among environments.")
    config: JSON | None = strawberry.field(default=None, description="Options as in config.json.")
    example: str | None = strawberry.field(default=None, description="Key of an example; its datasets are made, too.")
    copy_of: strawberry.ID | None = strawberry.field(default=None, description="Another environment, or a template.")
    dataset_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="What to train on, in order.")
    description: str | None = strawberry.field(default=None, description="What it is for; null: as in what it copies.")
    tags: list[str] | None = strawberry.field(
        default=None, description="Words to find it by; null: as in what it copies."
    )
    idempotency_key: str | None = strawberry.field(default=None, description="The same key creates it once.")


def create(parts: Parts, viewer: Viewer, input: CreateEnvironmentInput, along: AlongNew | None) -> UUID:
    config, dataset_ids, new_datasets, about = _beginning(parts, viewer, input)
    copied = None if input.copy_of is None else decode_id("Environment", input.copy_of, path="copyOf")

    def keep(session: Session, made: UUID) -> None:
        source = None if copied is None else find_environment(session, copied)
        if source is not None:
            root = parts.settings.configs
            keep_entries(session, made, agreed_folder(session, source.id, root / source.name, root=root).datasets)
        if along is not None:
            along(session, made)

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
        description=about["description"] if input.description is None else input.description,
        tags=about["tags"] if input.tags is None else input.tags,
        keep_unknown=input.config is None,
        along=keep,
    )


def _beginning(
    parts: Parts, viewer: Viewer, input: CreateEnvironmentInput
) -> tuple[dict[str, Any], Sequence[UUID], dict[str, dict[str, Any]], Mapping[str, Any]]:
    """Configuration, existing datasets, datasets to be made with it, and what it is for. Raises InvalidInput, NotFound."""
    sources = [name for name in ("config", "example", "copy_of") if getattr(input, name) is not None]
    if len(sources) != 1:
        raise InvalidInput("give exactly one of config, example and copyOf", path=("config",))
    chosen = None if input.dataset_ids is None else chosen_datasets(parts, viewer, input.dataset_ids)
    if input.example is not None:
        return *_from_example(parts, input.example, chosen), UNDESCRIBED
    if input.copy_of is not None:
        source_id = decode_id("Environment", input.copy_of, path="copyOf")
        with parts.database.reading() as session:
            found = find_environment(session, source_id)
        is_seen = found is not None and viewer.rights.may_see(environment_resource(found))
        source = existing(found if is_seen else None, "environment", path="copyOf")
        return source.config, source.dataset_ids if chosen is None else chosen, {}, source.about
    return json_object(input.config, path="config"), chosen or (), {}, UNDESCRIBED


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


def chosen_datasets(parts: Parts, viewer: Viewer, given: Sequence[strawberry.ID]) -> list[UUID]:
    """Raises NotFound, also for those that the viewer may not see."""
    ids = [decode_id("Dataset", each, path="datasetIds") for each in given]
    with parts.database.reading() as session:
        rows = find_datasets(session, ids)
    seen = {row.id for row in rows if viewer.rights.may_see(Resource(ResourceKind.DATASET, row.name, row.owner))}
    if not seen >= set(ids):
        raise NotFound("there is no dataset with one of these ids", path=("datasetIds",))
    return ids
