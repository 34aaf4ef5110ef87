"""Datasets as they are listed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Integer, Row, Table, Text, Uuid, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.access import ResourceKind, Rights
from domain.aggregate import Noun
from domain.config.changes import apply_changes
from domain.dataset import Dataset
from domain.errors import NameTaken
from service.access.visibility import visible
from service.database import metadata
from service.read_models.columns import Big, Json, Moment
from service.read_models.pages import Page, read_page

datasets = Table(
    "datasets",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("config", Json, nullable=False),
    Column("owner", Uuid),
    Column("updated_at", Moment, nullable=False),
    Column("position", Big, nullable=False, unique=True),
)

TABLES = (datasets,)


@dataclass(frozen=True, slots=True)
class DatasetRow:
    id: UUID
    name: str
    revision: int
    config: dict[str, Any]
    owner: UUID | None
    updated_at: datetime


def project(session: Session, event: Noun.Event, position: int) -> None:
    match event:
        case Dataset.Created():
            try:
                session.execute(
                    insert(datasets).values(
                        id=event.originator_id,
                        name=event.name,
                        name_key=event.name.casefold(),
                        revision=1,
                        config=event.config,
                        owner=event.by,
                        updated_at=event.timestamp,
                        position=position,
                    )
                )
            except IntegrityError as error:
                raise NameTaken(f"there is a dataset named {event.name!r} already", path=("name",)) from error
        case Dataset.ConfigChanged():
            row = session.execute(select(datasets).where(datasets.c.id == event.originator_id)).one()
            session.execute(
                update(datasets)
                .where(datasets.c.id == event.originator_id)
                .values(
                    config=apply_changes(row.config, event.changes),
                    revision=row.revision + 1,
                    updated_at=event.timestamp,
                )
            )
        case Dataset.Deleted():
            session.execute(delete(datasets).where(datasets.c.id == event.originator_id))


def find_dataset(session: Session, dataset_id: UUID) -> DatasetRow | None:
    row = session.execute(select(datasets).where(datasets.c.id == dataset_id)).first()
    return None if row is None else _make(row)


def find_dataset_named(session: Session, name: str) -> DatasetRow | None:
    row = session.execute(select(datasets).where(datasets.c.name_key == name.casefold())).first()
    return None if row is None else _make(row)


def find_datasets(session: Session, ids: Sequence[UUID]) -> list[DatasetRow]:
    """Those that exist, in the order asked for."""
    return [row for row in find_each_dataset(session, ids) if row is not None]


def find_each_dataset(session: Session, ids: Sequence[UUID]) -> list[DatasetRow | None]:
    """In the order asked for, with None for those that do not exist."""
    rows = session.execute(select(datasets).where(datasets.c.id.in_(set(ids))))
    by_id = {row.id: _make(row) for row in rows}
    return [by_id.get(dataset_id) for dataset_id in ids]


def list_datasets(session: Session, rights: Rights, *, first: int, after: int | None) -> Page[DatasetRow]:
    """Those that may be seen."""
    where = visible(rights, datasets, ResourceKind.DATASET)
    return read_page(session, datasets, order=datasets.c.position, where=where, first=first, after=after, make=_make)


def folders_of_datasets(session: Session, rights: Rights) -> set[Path]:
    """Those that datasets which may be seen are made of, links followed."""
    configs = session.scalars(select(datasets.c.config).where(*visible(rights, datasets, ResourceKind.DATASET)))
    written = [str(config["instance_data_dir"]) for config in configs if config.get("instance_data_dir")]
    return {Path(os.path.realpath(each)) for each in written if "\0" not in each}


def _make(row: Row[Any]) -> DatasetRow:
    return DatasetRow(
        id=row.id, name=row.name, revision=row.revision, config=row.config, owner=row.owner, updated_at=row.updated_at
    )
