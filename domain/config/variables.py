"""`{env:NAME}` in a configuration: a value that is filled in when a run is launched, from variables of the machine."""

import re
from collections.abc import Mapping
from typing import Any

from domain.config.secrets import is_secret_key
from domain.errors import InvalidInput, Problem

VARIABLE = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")


def holds_variable(value: Any) -> bool:
    """Also somewhere inside a list or an object."""
    if isinstance(value, str):
        return VARIABLE.search(value) is not None
    if isinstance(value, Mapping):
        return any(holds_variable(each) for each in value.values())
    return isinstance(value, list) and any(holds_variable(each) for each in value)


def resolve_variables(config: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """With each `{env:NAME}` replaced. Raises InvalidInput with one problem for each that has no value.

    What stands under the keys of secrets stays: only the trainer fills that in, in its memory.
    """
    problems: list[Problem] = []

    def resolve(key: str, value: Any) -> Any:
        if isinstance(value, str):
            problems.extend(
                Problem(
                    f"{key} names the variable {name}, which is not set or not open to configurations; "
                    "write the value itself, or have the variable opened with SIMPLETUNER_CONFIG_VARIABLES",
                    ("config", key),
                )
                for name in dict.fromkeys(VARIABLE.findall(value))
                if name not in variables
            )
            return VARIABLE.sub(lambda found: variables.get(found[1], found[0]), value)
        if isinstance(value, Mapping):
            return {name: each if is_secret_key(name) else resolve(key, each) for name, each in value.items()}
        return [resolve(key, each) for each in value] if isinstance(value, list) else value

    resolved = {key: value if is_secret_key(key) else resolve(key, value) for key, value in config.items()}
    if problems:
        raise InvalidInput.from_problems(problems)
    return resolved
