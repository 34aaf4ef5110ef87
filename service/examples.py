"""The ready environments that come with SimpleTuner."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.config.checks import normalise_keys
from domain.config.dataset import DatasetConfig
from domain.config.options import path_options
from domain.config.training import TrainingConfig
from domain.errors import NotFound

ENVIRONMENTS = "environments"
CONFIG_FILE = "config.json"
DATASETS_FILE = "multidatabackend.json"


@dataclass(frozen=True, slots=True)
class Example:
    """config and datasets as their files say, with relative paths made absolute; datasets: by name."""

    key: str
    name: str
    description: str
    config: dict[str, Any]
    datasets: dict[str, dict[str, Any]]

    @property
    def family(self) -> str:
        return str(self.config["model_family"])


def list_examples(examples: Path) -> list[Example]:
    folder = examples / ENVIRONMENTS
    if not folder.is_dir():
        return []
    return [read_environment_folder(path) for path in sorted(folder.iterdir()) if (path / CONFIG_FILE).is_file()]


def find_example(examples: Path, key: str) -> Example:
    """Raises NotFound."""
    known = {example.key: example for example in list_examples(examples)}
    if key not in known:
        raise NotFound(f"there is no example named {key!r}; there are {', '.join(known)}", path=("example",))
    return known[key]


def read_environment_folder(folder: Path) -> Example:
    """A folder with config.json and multidatabackend.json; paths in them are relative to it."""
    written = json.loads((folder / CONFIG_FILE).read_text())
    described = written.get("_metadata", {})
    entries = json.loads((folder / DATASETS_FILE).read_text())
    return Example(
        key=folder.name,
        name=described.get("name", folder.name),
        description=described.get("description", ""),
        config=_with_absolute_paths(normalise_keys(written), folder, path_options(TrainingConfig)),
        datasets={entry["id"]: _with_absolute_paths(entry, folder, path_options(DatasetConfig)) for entry in entries},
    )


def _with_absolute_paths(written: dict[str, Any], folder: Path, keys: frozenset[str]) -> dict[str, Any]:
    """Only what exists beside the folder is taken for a path: another value may be a name on the Hub."""
    absolute = dict(written)
    for key in keys & written.keys():
        beside = folder / str(written[key])
        if beside.exists():
            absolute[key] = str(beside.resolve())
    return absolute
