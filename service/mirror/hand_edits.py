"""What somebody changed in the files of an environment by hand, and what becomes of it: functions of what was read.

    agreed   what the files said when files and environment last agreed
    edited   what they say now
    present  the environment as it is now, which others may have changed meanwhile

An option that only one side changed is taken from there; one that both changed to different values is contested: the
environment keeps its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.application import EnvironmentEdit
from domain.config.changes import Change, changes_between
from domain.config.secrets import check_no_secrets
from domain.environment import DATASETS_KEY, UNDESCRIBED
from service.environment_folder import (
    DATASETS_OPTION,
    TRAINED_KEYS,
    EnvironmentFolder,
    content_of,
    is_trained_on,
)
from service.read_models.dataset import DatasetRow
from service.read_models.environment import EnvironmentRow

FindDataset = Callable[[str], DatasetRow | None]
"""By name, whatever the case."""


@dataclass(slots=True)
class HandEdit:
    """contested: options that both sides changed. renamed: datasets by the id in the file that stood for others here."""

    edit: EnvironmentEdit
    contested: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Datasets:
    """The datasets of a file among those that exist. order: by id, new ones by name."""

    order: list[UUID | str] = field(default_factory=list)
    new: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[UUID, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    contested: list[str] = field(default_factory=list)


def plan_edit(
    agreed: EnvironmentFolder,
    edited: EnvironmentFolder,
    present: EnvironmentRow,
    present_datasets: Sequence[DatasetRow],
    find_dataset: FindDataset,
) -> HandEdit:
    config, contested = merge(changes_between(agreed.options, edited.options), present.config)
    datasets = _merge_datasets(agreed, edited, present, present_datasets, find_dataset)
    about = {
        change["key"]: change.get("after", UNDESCRIBED[change["key"]])
        for change in changes_between(about_in(agreed.metadata), about_in(edited.metadata))
    }
    return HandEdit(
        EnvironmentEdit(
            expected_revision=present.revision,
            config=config,
            datasets=datasets.changed,
            new_datasets=datasets.new,
            order=datasets.order,
            about=about or None,
        ),
        contested=contested + datasets.contested,
        renamed=datasets.renamed,
    )


def merge(changes: Sequence[Change], present: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The present values with the changes made to them, and the keys that were changed to something else meanwhile."""
    merged, contested = dict(present), []
    for change in changes:
        key = change["key"]
        if _is_now(present, change, "after"):
            continue
        if not _is_now(present, change, "before"):
            contested.append(key)
        elif "after" in change:
            merged[key] = change["after"]
        else:
            merged.pop(key, None)
    return merged, contested


def _is_now(present: Mapping[str, Any], change: Change, side: str) -> bool:
    side_value = {change["key"]: change[side]} if side in change else {}  # type: ignore[literal-required]
    now = {change["key"]: present[change["key"]]} if change["key"] in present else {}
    return not changes_between(now, side_value)


def _merge_datasets(
    agreed: EnvironmentFolder,
    edited: EnvironmentFolder,
    present: EnvironmentRow,
    present_datasets: Sequence[DatasetRow],
    find_dataset: FindDataset,
) -> Datasets:
    before = {str(entry["id"]): trained_keys(entry) for entry in agreed.datasets if is_trained_on(entry)}
    after = {str(entry["id"]): trained_keys(entry) for entry in edited.datasets if is_trained_on(entry)}
    here = {row.name: row for row in present_datasets}
    merged = Datasets()
    is_reordered = list(after) != list(before)
    takes_order = is_reordered and list(here) in (list(before), list(after))
    if is_reordered and not takes_order:
        merged.contested.append(DATASETS_KEY)
    for name, entry in after.items():
        row = (here.get(name) or find_dataset(name)) if name in before else None
        if row is not None:
            config, contested = merge(changes_between(before[name], entry), row.config)
            merged.contested += [f"{name}.{key}" for key in contested]
            if changes_between(row.config, config):
                merged.changed[row.id] = (row.revision, config)
            place: UUID | str = row.id
        elif takes_order:
            place = join_dataset(present.name, name, entry, find_dataset, merged)
        else:
            continue
        if takes_order and place not in merged.order:
            merged.order.append(place)
    if not takes_order:
        merged.order = list(present.dataset_ids)
    return merged


def join_dataset(
    environment: str, name: str, entry: Mapping[str, Any], find_dataset: FindDataset, joined: Datasets
) -> UUID | str:
    """A dataset that is new to the environment: one that exists and says the same, or a new one.

    Where another dataset has the name, the new one is called after the environment as well.
    """
    number = 1
    candidate = name
    while (row := find_dataset(candidate)) is not None:
        if not changes_between(trained_keys(row.config), trained_keys(entry)):
            if candidate != name:
                joined.renamed[name] = row.name
            return row.id
        candidate = f"{environment}-{name}" + (f"-{number}" if number > 1 else "")
        number += 1
    if candidate != name:
        joined.renamed[name] = candidate
    joined.new[candidate] = dict(entry)
    return candidate


def new_datasets(environment: str, edited: EnvironmentFolder, find_dataset: FindDataset) -> Datasets:
    """For a folder that becomes an environment: all its datasets are new to it."""
    joined = Datasets()
    for entry in edited.datasets:
        if is_trained_on(entry):
            name = str(entry["id"])
            joined.order.append(join_dataset(environment, name, trained_keys(entry), find_dataset, joined))
    return joined


def trained_keys(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What of an entry a dataset keeps; its id is its name."""
    return {key: value for key, value in entry.items() if key in TRAINED_KEYS and key != "id"}


def check_secrets(read: EnvironmentFolder) -> None:
    """Also of what is only kept: it is shown to everybody who may see the environment. Raises InvalidInput."""
    check_no_secrets(read.options, place="environment")
    check_no_secrets(read.metadata, place="environment")
    for entry in read.datasets:
        check_no_secrets(entry, place="dataset")


def about_in(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata says of an environment's description, tags and being a template, as far as it can be understood."""
    about: dict[str, Any] = {}
    if isinstance(metadata.get("description"), str):
        about["description"] = metadata["description"]
    tags = metadata.get("tags")
    if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
        about["tags"] = tags
    if isinstance(metadata.get("is_template"), bool):
        about["is_template"] = metadata["is_template"]
    return about


def folder_for(
    environment: EnvironmentRow, datasets: Iterable[DatasetRow], agreed: EnvironmentFolder | None = None
) -> EnvironmentFolder:
    """What the files of an environment shall say; with everything in the agreed ones that is no part of it."""
    kept = agreed or EnvironmentFolder()
    earlier = {str(entry["id"]): entry for entry in kept.datasets}
    entries = []
    for row in datasets:
        unused = {key: value for key, value in earlier.get(row.name, {}).items() if key not in TRAINED_KEYS}
        entries.append({**unused, **row.config, "id": row.name})
    entries += [entry for entry in kept.datasets if not is_trained_on(entry)]
    metadata = {key: value for key, value in kept.metadata.items() if key not in UNDESCRIBED}
    metadata |= {key: value for key, value in environment.about.items() if value != UNDESCRIBED[key]}
    return content_of(environment.config, entries, metadata)


def says_the_same(one: EnvironmentFolder, other: EnvironmentFolder) -> bool:
    """Whether two folders mean the same environment; the order of what is not trained on does not matter."""
    return not changes_between(_meaning(one), _meaning(other))


def _meaning(folder: EnvironmentFolder) -> dict[str, Any]:
    options = {f"option {key}": value for key, value in folder.options.items() if key != DATASETS_OPTION}
    entries = {f"dataset {entry['id']}": {**entry} for entry in folder.datasets}
    order = [entry["id"] for entry in folder.datasets if is_trained_on(entry)]
    return {**options, **entries, "order": order, "about": {**UNDESCRIBED, **about_in(folder.metadata)}}
