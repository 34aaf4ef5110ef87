"""What of a configuration does nothing here: it is kept and exported again, and people are told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from domain.config.checks import suggestion
from domain.config.foreign import FOREIGN_KEYS
from domain.config.options import Option, options_by_key
from domain.config.training import TrainingConfig


@dataclass(frozen=True, slots=True)
class Unused:
    """reason: for people, to stand behind the key."""

    key: str
    value: Any
    reason: str


def unused_options(written: Mapping[str, Any], model: type[BaseModel] = TrainingConfig) -> tuple[Unused, ...]:
    """By key: what is no option, what is one that the trainer does not act on yet, and values that it cannot have yet."""
    return tuple(_found(written, options_by_key(model)))


def _found(written: Mapping[str, Any], known: Mapping[str, Option]) -> Iterator[Unused]:
    family = written.get("model_family")
    for key, value in sorted(written.items()):
        option = known.get(key)
        if option is None:
            yield Unused(
                key, value, FOREIGN_KEYS.get(key) or f"there is no option of this name{suggestion(key, known)}"
            )
        elif _is_default(option, value):
            continue
        elif option.traits.decisive or (isinstance(value, str) and value in option.later_choices):
            yield Unused(key, value, "this version cannot do that yet, so no run can be started with it")
        elif option.later:
            yield Unused(key, value, option.traits.moot or "this version does not act on it yet")
        elif not option.matters_to(family):
            yield Unused(key, value, f"it matters to {', '.join(option.families)} alone")


def _is_default(option: Option, value: Any) -> bool:
    return type(value) is type(option.default) and bool(value == option.default)
