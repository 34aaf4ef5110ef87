"""Configurations that lie beside the folders of environments, as NAME.json, where the existing tool has them, too.

Such a file becomes the environment NAME and moves into its folder as a backup: there is one place to edit, which the
existing command line finds by the same name, and what somebody wrote is kept word for word.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.config.effective import is_default_environment
from domain.config.forms import WRAPPER_KEYS, canonical_key
from domain.config.training import TrainingConfig
from service.environment_folder import (
    CONFIG_FILE,
    METADATA_ENDING,
    EnvironmentFolder,
    dataset_files,
    read_environment_folder,
)
from service.json_files import DiskFiles, Unreadable, free_name, parse_json, time_in_name

ENDING = ".json"
SIGNS_OF_OTHERS = frozenset({"datasets", "webhook_type", "algo", "process"})
"""Keys of other files that lie there: lists of datasets, webhooks, LyCORIS, jobs of ai-toolkit."""

FAMILY_OPTION = "model_family"


@dataclass(frozen=True, slots=True)
class MovedFiles:
    """The disk, as if one file were at another place already."""

    disk: DiskFiles
    source: Path
    target: Path

    def read(self, path: Path) -> str | None:
        return self.disk.read(self.source if path == self.target else path)

    def names(self, folder: Path) -> list[str]:
        return self.disk.names(folder)


def may_be_configuration(name: str) -> bool:
    """By the name of the file alone."""
    is_other = name.startswith(".") or name.endswith(METADATA_ENDING) or bool(dataset_files([name]))
    return name.endswith(ENDING) and not is_other


def is_configuration(root: Path, name: str) -> bool:
    """By its content. Raises Unreadable for one that is no JSON, but seems to be meant for one."""
    try:
        text = DiskFiles(root).read(root / name) or "{}"
    except Unreadable:
        return False
    try:
        written: Any = parse_json(text)
    except Unreadable:
        if f'{FAMILY_OPTION}"' in text:
            raise
        return False
    if not isinstance(written, dict):
        return False
    is_wrapped = isinstance(written.get("config"), dict) and written.keys() <= WRAPPER_KEYS
    options = {canonical_key(TrainingConfig, key) for key in (written["config"] if is_wrapped else written)}
    if options & SIGNS_OF_OTHERS:
        return False
    is_default = is_default_environment(environment_name(name)) and not options.isdisjoint(TrainingConfig.model_fields)
    return FAMILY_OPTION in options or is_default


def environment_name(name: str) -> str:
    return name.removesuffix(ENDING).strip()


def read_loose_file(root: Path, name: str) -> EnvironmentFolder:
    """What it says, read as the config.json of the folder that it stands for."""
    folder = root / environment_name(name)
    moved = MovedFiles(DiskFiles(root), source=root / name, target=folder / CONFIG_FILE)
    return read_environment_folder(folder, root=root, files=moved)


def backup_name(root: Path, name: str) -> str:
    """Of the file in the folder of its environment; by its own time, so that it is the same however often it is asked."""
    return f"{CONFIG_FILE}.backup-{time_in_name((root / name).stat().st_mtime)}"


def put_aside(root: Path, name: str, *, folder: str) -> Path:
    """Move the file into the folder of its environment; returns where it is. Raises OSError."""
    (root / folder).mkdir(exist_ok=True)
    target = root / folder / free_name(root / folder, backup_name(root, name))
    os.rename(root / name, target)
    return target
