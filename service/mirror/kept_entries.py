"""What a list of datasets says beside what is trained on, until the first files of its environment hold it.

From then on it is in what those files said (service.mirror.files), where hand-made changes of it count as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, Uuid, delete, insert, select
from sqlalchemy.orm import Session

from service.database import metadata
from service.environment_folder import EnvironmentFolder, read_environment_folder
from service.json_files import KeptFiles
from service.mirror.files import find_files
from service.read_models.columns import Json
from service.read_models.environment import environments

kept_entries = Table(
    "kept_entries",
    metadata,
    Column("environment_id", Uuid, primary_key=True),
    Column("entries", Json, nullable=False),
)


def keep_entries(session: Session, environment_id: UUID, entries: Sequence[Mapping[str, Any]]) -> None:
    """Of a new environment. entries: those with nothing to train on, and keys of others that no dataset keeps."""
    if entries:
        kept = [dict(entry) for entry in entries]
        session.execute(insert(kept_entries).values(environment_id=environment_id, entries=kept))


def forget_entries(session: Session, environment_id: UUID) -> None:
    """They are in the files now."""
    session.execute(delete(kept_entries).where(kept_entries.c.environment_id == environment_id))


def forget_entries_of_deleted(session: Session) -> None:
    session.execute(delete(kept_entries).where(kept_entries.c.environment_id.not_in(select(environments.c.id))))


def agreed_folder(session: Session, environment_id: UUID, path: Path, *, root: Path) -> EnvironmentFolder:
    """What the files said when they and the environment last agreed, and what waits to be written into them.

    path: where they are; root: the folder of all environments.
    """
    files = find_files(session, environment_id)
    agreed = read_environment_folder(path, root=root, files=KeptFiles(path, files.texts if files else {}))
    return with_entries(agreed, find_entries(session, environment_id))


def find_entries(session: Session, environment_id: UUID) -> list[dict[str, Any]]:
    """Those that wait to be written."""
    query = select(kept_entries.c.entries).where(kept_entries.c.environment_id == environment_id)
    return session.scalar(query) or []


def with_entries(folder: EnvironmentFolder, entries: Sequence[Mapping[str, Any]]) -> EnvironmentFolder:
    """What the folder says of an entry itself counts."""
    said = {entry.get("id") for entry in folder.datasets}
    return replace(folder, datasets=[*folder.datasets, *(dict(each) for each in entries if each["id"] not in said)])
