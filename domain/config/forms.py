"""From any form that a file or a person writes a configuration in to canonical keys and native values.

Files have keys with or without dashes, older names, and a wrapper; values may be text: "true", "1e-4", "None", JSON in a
string. What cannot be understood stays as it was written, so that the checks can name it and nothing is lost.
"""

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from domain.config.dataset import DatasetConfig
from domain.config.foreign import FOREIGN_KEYS
from domain.config.options import Option, options_by_key, options_of
from domain.config.training import TrainingConfig
from domain.config.variables import holds_variable

WRAPPER_KEYS = frozenset({"config", "_metadata"})
EMPTY = frozenset({"", "none", "null"})
YES = frozenset({"true", "1", "yes", "on"})
NO = frozenset({"false", "0", "no", "off"})


def normalise_keys(written: Mapping[str, Any]) -> dict[str, Any]:
    """A training configuration: keys of TrainingConfig with values of their types; others stay as they are.

    An option that is written twice counts under its own name; the other spelling is kept beside it unless it says the
    same.
    """
    if isinstance(written.get("config"), Mapping) and written.keys() <= WRAPPER_KEYS:
        written = written["config"]
    return _normalise(TrainingConfig, written)


def normalise_dataset(written: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of multidatabackend.json, in the same way."""
    return _normalise(DatasetConfig, written)


def canonical_key(model: type[BaseModel], written: str) -> str:
    """The option's own name for any spelling of it; what is no option keeps its name, without leading dashes."""
    bare = written.removeprefix("--")
    key = bare.replace("-", "_")
    names = _names(model)
    if key in names:
        return names[key][0]
    return key if key in FOREIGN_KEYS else bare


def _normalise(model: type[BaseModel], written: Mapping[str, Any]) -> dict[str, Any]:
    known = options_by_key(model)
    normal: dict[str, Any] = {}
    others: list[tuple[str, Any]] = []
    for key, value in written.items():
        if key in known:
            normal[key] = native_value(known[key], value)
        else:
            others.append((key, value))
    for key, value in others:
        canonical = canonical_key(model, key)
        if canonical not in known:
            normal.setdefault(canonical, value)
            continue
        native = native_value(known[canonical], value)
        if _is_inverted(model, key) and not isinstance(native, str):
            native = not native
        if canonical not in normal:
            normal[canonical] = native
        elif normal[canonical] != native:
            normal[key] = value
    return normal


@cache
def _names(model: type[BaseModel]) -> Mapping[str, tuple[str, bool]]:
    """For each spelling of a key: the option, and whether it means the opposite."""
    names: dict[str, tuple[str, bool]] = {}
    for option in options_of(model):
        names |= dict.fromkeys(option.traits.aliases, (option.key, False))
        names |= dict.fromkeys(option.traits.inverted_aliases, (option.key, True))
    return names | {option.key: (option.key, False) for option in options_of(model)}


def _is_inverted(model: type[BaseModel], written: str) -> bool:
    return _names(model)[written.removeprefix("--").replace("-", "_")][1]


def native_value(option: Option, written: Any) -> Any:
    """The value in the option's own type where that is clear; otherwise as it was written."""
    if isinstance(written, str):
        if holds_variable(written):
            return written
        text = written.strip()
        if _means_nothing(option, text):
            return None
        return _from_text(option, written if option.kind == "long_text" else text)
    return _from_native(option, written)


def _means_nothing(option: Option, text: str) -> bool:
    can_be_empty = option.nullable or option.traits.empty_is_default
    return can_be_empty and text.lower() in EMPTY and text not in (*option.choices, *option.later_choices)


def _from_text(option: Option, text: str) -> Any:
    if option.is_list and not text.startswith(("[", "{")):
        return [_element(part.strip()) for part in text.split(",") if part.strip()]
    match option.kind:
        case "boolean":
            return True if text.lower() in YES else False if text.lower() in NO else text
        case "integer":
            return _whole(text)
        case "number":
            return _number(text)
        case "json" | "named_texts":
            return _parsed(text)
        case "choice":
            return option.traits.spellings.get(text, text)
        case _:
            return _whole(text) if option.takes_integers and text.isdecimal() else text


def _from_native(option: Option, written: Any) -> Any:
    match option.kind, written:
        case "boolean", 0 | 1:
            return bool(written)
        case "integer", float() if written.is_integer():
            return int(written)
        case (("text" | "long_text" | "choice" | "path"), (int() | float())) if not isinstance(written, bool):
            return written if option.takes_integers else _from_text(option, str(written))
    return written


def _element(text: str) -> Any:
    number = _number(text)
    return number if isinstance(number, int | float) else text


def _whole(text: str) -> int | str:
    number = _number(text)
    return int(number) if isinstance(number, int | float) and number == int(number) else text


def _number(text: str) -> int | float | str:
    """Text where it is no number that can be reckoned with."""
    kinds: tuple[Callable[[str], int | float], ...] = (int, float)
    for kind in kinds:
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def _parsed(text: str) -> Any:
    """JSON in a string; other text, such as the name of a file, as it is."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
