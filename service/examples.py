"""The ready environments that come with SimpleTuner."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import InvalidInput, NotFound, Problem
from service.environment_folder import CONFIG_FILE, is_trained_on, read_environment_folder

log = logging.getLogger(__name__)

ENVIRONMENTS = "environments"


@dataclass(frozen=True, slots=True)
class Example:
    """config and datasets as their files say, with relative paths made absolute; datasets: by name."""

    key: str
    name: str
    description: str
    config: dict[str, Any]
    datasets: dict[str, dict[str, Any]]

    @property
    def brings_model(self) -> bool:
        return "pretrained_model_name_or_path" in self.config

    @property
    def family(self) -> str:
        return str(self.config.get("model_family", ""))


def list_examples(examples: Path) -> list[Example]:
    """Those that can be read, first the ones that bring their base model along; the others are said in the log."""
    folder = examples / ENVIRONMENTS
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path / CONFIG_FILE).is_file():
            try:
                found.append(read_example(path))
            except InvalidInput as error:
                log.error("example=%s %s", path.name, error)
    return sorted(found, key=lambda example: not example.brings_model)


def find_example(examples: Path, key: str) -> Example:
    """Raises NotFound."""
    known = {example.key: example for example in list_examples(examples)}
    if key not in known:
        raise NotFound(f"there is no example named {key!r}; there are {', '.join(known)}", path=("example",))
    return known[key]


def read_example(folder: Path) -> Example:
    """An environment's folder that stands for itself. Raises InvalidInput with everything that is wrong with it."""
    read = read_environment_folder(folder)
    if read.problems:
        raise InvalidInput.from_problems([Problem(problem.message) for problem in read.problems])
    return Example(
        key=folder.name,
        name=str(read.metadata.get("name", folder.name)),
        description=str(read.metadata.get("description", "")),
        config=read.options,
        datasets={entry["id"]: entry for entry in read.datasets if is_trained_on(entry)},
    )
