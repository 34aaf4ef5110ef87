"""The options of a training with sd-scripts, whichever section of the file they stand in."""

from collections.abc import Mapping
from typing import Any

from service.importers.findings import Section
from service.importers.prompts import split_lines
from service.importers.rules import is_off

ARGUMENT_LISTS = ("network_args", "optimizer_args", "lr_scheduler_args")


def expanded(tree: Mapping[str, Any]) -> dict[str, Any]:
    """With arguments and prompts that stand in one text taken apart, so that each of them has its own finding."""
    made: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and key not in ARGUMENT_LISTS:
            made[key] = {name: _taken_apart(name, each) for name, each in value.items()}
        else:
            made[key] = _taken_apart(key, value)
    return made


def _taken_apart(key: str, value: Any) -> Any:
    if key in ARGUMENT_LISTS:
        return split_arguments(value)
    if key == "sample_prompts" and isinstance(value, str) and is_prompts(value):
        return [dict(each) for each in split_lines(value)] or value
    return value


def is_prompts(value: str) -> bool:
    """Prompts themselves, not the name of a file with prompts."""
    stripped = value.strip()
    return (
        "\n" in stripped or " --" in stripped or (" " in stripped and not stripped.endswith((".txt", ".json", ".toml")))
    )


def split_arguments(value: Any) -> Any:
    """A list of `key=value`, or a text of them, as a mapping; anything else as it is."""
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(each, str) and "=" in each for each in words):
        return value
    pairs = [each.partition("=") for each in words]
    if len({name.strip() for name, _, _ in pairs}) < len(pairs) or any(not name.strip() for name, _, _ in pairs):
        return value
    return {name.strip(): given.strip().strip("'\"") for name, _, given in pairs}


def option_names(tree: Mapping[str, Any]) -> set[str]:
    return {
        name
        for key, value in tree.items()
        for name in (value if isinstance(value, Mapping) and key not in ARGUMENT_LISTS else (key,))
    }


class Options:
    """All sections as one; what is given twice counts as it is given last."""

    def __init__(self, root: Section) -> None:
        self.ledger = root.ledger
        below = [key for key, value in root.values.items() if isinstance(value, Mapping) and key not in ARGUMENT_LISTS]
        self.sections = [root.without(below), *(root.section(key) for key in below)]
        self._at: dict[str, Section] = {}
        for section in self.sections:
            for key in section.values:
                if key in self._at:
                    self._at[key].drop(key, f"given again as {section.path_of(key)}, which counts")
                self._at[key] = section

    def get(self, key: str) -> Any:
        section = self._at.get(key)
        return None if section is None else section.get(key)

    def at(self, key: str) -> Section | None:
        """The section where an option stands."""
        return self._at.get(key)

    def is_on(self, key: str) -> bool:
        return not is_off(self.get(key))

    @property
    def nearest_first(self) -> tuple[Section, ...]:
        return tuple(reversed(self.sections))
