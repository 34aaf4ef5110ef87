"""What a configuration may name only with permissions of their own: external scripts, and paths of this machine."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from domain.access import Resource, ResourceKind, Rights
from domain.config.changes import apply_changes, changes_between
from domain.config.dataset import DatasetConfig
from domain.config.forms import normalise_dataset, normalise_keys
from domain.config.options import PATH_KIND, options_by_key, path_options, paths_within, script_options
from domain.config.parts.dataset_source import BUCKET_SCHEME
from domain.config.training import TrainingConfig
from domain.config.variables import holds_variable
from domain.errors import NotAllowed
from service.settings import Settings


def check_training_rights(
    rights: Rights, settings: Settings, before: Mapping[str, Any], set: Mapping[str, Any], unset: Sequence[str] = ()
) -> None:
    """Raises NotAllowed."""
    _check(TrainingConfig, rights, settings, before, normalise_keys(set), unset)


def check_dataset_rights(
    rights: Rights, settings: Settings, before: Mapping[str, Any], set: Mapping[str, Any], unset: Sequence[str] = ()
) -> None:
    """Raises NotAllowed."""
    _check(DatasetConfig, rights, settings, before, normalise_dataset(set), unset)


def _check(
    model: type[BaseModel],
    rights: Rights,
    settings: Settings,
    before: Mapping[str, Any],
    set: Mapping[str, Any],
    unset: Sequence[str],
) -> None:
    after = {key: value for key, value in before.items() if key not in unset} | dict(set)
    changes = changes_between(before, after)
    scripts = sorted(change["key"] for change in changes if change["key"] in script_options(model))
    if scripts and "scripts.edit" not in rights.permissions:
        raise NotAllowed(
            f"{scripts[0]} names a script that runs on this machine; that needs scripts.edit", path=scripts
        )
    changed = apply_changes({}, changes)
    for key in sorted(path_options(model) & changed.keys()):
        value = changed[key]
        if isinstance(value, str) and _names_file(model, key, value):
            check_path(rights, settings.allowed_paths, value, key=key)
    for key, inner in paths_within(model).items():
        held = changed.get(key)
        for name in inner:
            value = held.get(name) if isinstance(held, Mapping) else None
            if isinstance(value, str) and value and is_meant_as_path(value):
                check_path(rights, settings.allowed_paths, value, key=f"{key}.{name}")


def _names_file(model: type[BaseModel], key: str, value: str) -> bool:
    """Text in an option that holds either a file's name or something else only counts when it looks like one."""
    if options_by_key(model)[key].kind != PATH_KIND:
        return "/" in value or "\\" in value or value.endswith(".json")
    return bool(value) and not value.startswith(BUCKET_SCHEME) and is_meant_as_path(value)


def check_path(rights: Rights, allowed: Iterable[Path], written: str, *, key: str) -> None:
    """Raises NotAllowed for a path outside the allowed folders without paths.any, or one that a rule denies."""
    path = Path(os.path.realpath(Path(written).expanduser()))
    is_inside = any(path.is_relative_to(os.path.realpath(folder)) for folder in allowed)
    if not is_inside and "paths.any" not in rights.permissions:
        raise NotAllowed(
            f"{key} is {written!r:.200}, which is outside the folders that are open to everybody here; "
            "move it there, or ask somebody with paths.any",
            path=(key,),
        )
    if not rights.may("config.edit", Resource(ResourceKind.PATH, str(path), rights.user_id)):
        raise NotAllowed(f"{key} is {written!r:.200}, which a rule keeps from you", path=(key,))


def is_meant_as_path(written: str) -> bool:
    """A name on the Hub has the form owner/name; anything else can only be a path, or become one."""
    return (
        holds_variable(written)
        or written.startswith(("/", ".", "~", "\\"))
        or written.count("/") != 1
        or Path(written).exists()
    )
