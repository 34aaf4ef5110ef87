"""Where the folder of each environment is, and what its files said when they and the environment last agreed.

No read model: it does not follow from events, and making those anew leaves it as it is.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, Text, Uuid, delete, insert, select, update
from sqlalchemy.orm import Session

from service.database import metadata
from service.read_models.columns import Json
from service.read_models.dataset import DatasetRow, datasets, find_datasets
from service.read_models.environment import EnvironmentRow, environments

environment_files = Table(
    "environment_files",
    metadata,
    Column("environment_id", Uuid, primary_key=True),
    Column("folder", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("texts", Json, nullable=False),
    Column("pending", Json),
    Column("problem", Text),
    Column("conflict", Text),
)

folder_problems = Table(
    "folder_problems",
    metadata,
    Column("folder", Text, primary_key=True),
    Column("problem", Text, nullable=False),
)
"""Folders that stand for no environment, and why."""

NOT_WRITTEN = ""
NEVER_WRITTEN = "new"
"""In place of a state: the files do not say what they must, or are not there at all yet."""


@dataclass(frozen=True, slots=True)
class FilesRow:
    """folder: its name. state: of what the files say, see state_of, or NOT_WRITTEN.

    texts: of the files as last agreed, by their path from the folder. pending: texts that were about to be written.
    problem: what people should know. conflict: name of the file with what could not be taken over; the problem is
    about it and goes with it.
    """

    environment_id: UUID
    folder: str
    state: str
    texts: dict[str, str]
    pending: dict[str, str] | None
    problem: str | None
    conflict: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of an environment are, and what people should know of them. folder: None before there are any."""

    folder: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """An environment in short. state: of what its files must say. folder: None for one that has no files yet."""

    id: UUID
    name: str
    state: str
    folder: str | None


def state_of(environment: Any, revisions: Mapping[UUID, int]) -> str:
    """Changes with everything that the files of an environment tell. environment: a row; revisions: of datasets, by id."""
    used = [[str(each), revisions.get(UUID(str(each)))] for each in environment.dataset_ids]
    about = [environment.description, list(environment.tags), environment.is_template]
    told = json.dumps([str(environment.id), environment.name, environment.revision, about, used])
    return hashlib.sha256(told.encode()).hexdigest()


def list_standings(session: Session) -> list[Standing]:
    """All environments, without what is in them."""
    revisions = {row.id: row.revision for row in session.execute(select(datasets.c.id, datasets.c.revision))}
    columns = [environments.c[name] for name in ("id", "name", "revision", "dataset_ids")]
    about = [environments.c[name] for name in ("description", "tags", "is_template")]
    joined = environments.outerjoin(environment_files, environments.c.id == environment_files.c.environment_id)
    rows = session.execute(select(*columns, *about, environment_files.c.folder).select_from(joined))
    return [Standing(row.id, row.name, state_of(row, revisions), row.folder) for row in rows]


def list_orphans(session: Session) -> list[tuple[UUID, str]]:
    """Ids and folders of environments that have been deleted."""
    joined = environment_files.outerjoin(environments, environments.c.id == environment_files.c.environment_id)
    rows = session.execute(
        select(environment_files.c.environment_id, environment_files.c.folder)
        .select_from(joined)
        .where(environments.c.id.is_(None))
    )
    return [(row.environment_id, row.folder) for row in rows]


def find_files(session: Session, environment_id: UUID) -> FilesRow | None:
    row = session.execute(select(environment_files).where(environment_files.c.environment_id == environment_id)).first()
    return None if row is None else FilesRow(**row._mapping)


def datasets_of(session: Session, environment: EnvironmentRow) -> list[DatasetRow]:
    return find_datasets(session, environment.dataset_ids)


def present_state(session: Session, environment_id: UUID) -> str:
    row = session.execute(select(environments).where(environments.c.id == environment_id)).one()
    used = find_datasets(session, [UUID(each) for each in row.dataset_ids])
    return state_of(row, {dataset.id: dataset.revision for dataset in used})


def write_files_row(session: Session, environment_id: UUID, **values: Any) -> None:
    """Make the row, or change it."""
    changed = session.execute(
        update(environment_files).where(environment_files.c.environment_id == environment_id).values(**values)
    )
    if changed.rowcount == 0:  # type: ignore[attr-defined]
        made = {"state": NEVER_WRITTEN, "texts": {}} | values
        session.execute(insert(environment_files).values(environment_id=environment_id, **made))


def remove_files_row(session: Session, environment_id: UUID) -> None:
    session.execute(delete(environment_files).where(environment_files.c.environment_id == environment_id))


def write_folder_problems(session: Session, problems: Mapping[str, str]) -> None:
    """These and no others."""
    session.execute(delete(folder_problems))
    for folder, problem in problems.items():
        session.execute(insert(folder_problems).values(folder=folder, problem=problem))


def list_folder_problems(session: Session) -> list[tuple[str, str]]:
    """By folder."""
    rows = session.execute(select(folder_problems).order_by(folder_problems.c.folder))
    return [(row.folder, row.problem) for row in rows]


def find_folder_problems(session: Session, folders: Sequence[str]) -> list[str | None]:
    """In the order asked for, with None for those without."""
    rows = session.execute(select(folder_problems).where(folder_problems.c.folder.in_(folders)))
    by_folder = {row.folder: str(row.problem) for row in rows}
    return [by_folder.get(folder) for folder in folders]


def find_places(session: Session, ids: Sequence[UUID]) -> list[Place | None]:
    """In the order asked for, with None for those that have no files yet; without what the files say."""
    columns = [environment_files.c[name] for name in ("environment_id", "folder", "problem", "state")]
    rows = session.execute(select(*columns).where(environment_files.c.environment_id.in_(ids)))
    by_id = {row.environment_id: Place(None if row.state == NEVER_WRITTEN else row.folder, row.problem) for row in rows}
    return [by_id.get(each) for each in ids]


def texts_match(texts: Mapping[str, str], *others: Mapping[str, str] | None) -> bool:
    """Whether each text is what it is in one of the others."""
    return all(any(other is not None and other.get(path) == text for other in others) for path, text in texts.items())
