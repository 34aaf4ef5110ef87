"""Tables of rules: what becomes of a key of another tool's file, and how its value is read."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.importers.findings import EMPTY, Section

Convert = Callable[[Any], Any]
"""Raises ValueError that says why a value cannot be taken over."""

OFF = "switched off in the file"


@dataclass(frozen=True, slots=True)
class To:
    """To an option of ours. off: values that mean the same as leaving it out there and here."""

    target: str
    convert: Convert
    note: str = ""
    off: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Drop:
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Nothing here is like it; dropped when it is switched off, or has the value that changes nothing (neutral)."""

    reason: str
    neutral: tuple[Any, ...] = ()


Rule = To | Drop | Report
Rules = Mapping[str, Rule]


def apply_rules(section: Section, rules: Rules) -> None:
    """To every key that nothing was said of; keys without a rule stay open."""
    for key in section.open_keys():
        rule = rules.get(key)
        if rule is not None:
            apply_rule(section, key, rule)


def apply_rule(section: Section, key: str, rule: Rule) -> None:
    value = section.get(key)
    match rule:
        case Drop(reason):
            section.drop(key, reason)
        case Report(reason, neutral):
            if is_off(value):
                section.drop(key, OFF if value not in (None, "") else EMPTY)
            elif value in neutral or str(value) in {str(each) for each in neutral}:
                section.drop(key, "the usual value, which changes nothing")
            else:
                section.unmap(key, reason)
        case To(target, convert, note, off):
            if is_blank(value):
                section.drop(key, EMPTY)
                return
            try:
                converted = convert(value)
            except ValueError as error:
                section.unmap(key, str(error))
                section.ledger.miss(target)
                return
            if any(converted == each and isinstance(converted, bool) == isinstance(each, bool) for each in off):
                section.drop(key, OFF)
            else:
                section.map(key, target, converted, note)


def is_blank(value: Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and value.strip() in ("", "None", "none"))


def is_off(value: Any) -> bool:
    """Nothing, false or zero, in any spelling."""
    if isinstance(value, str):
        return value.strip().lower() in ("", "none", "null", "false", "no", "off", "0", "0.0")
    return not value


def number(value: Any) -> float:
    """A float, also from a text; whole numbers stay whole."""
    if isinstance(value, bool):
        raise ValueError(f"it is {str(value).lower()} but should be a number")
    if isinstance(value, int):
        return value
    try:
        converted = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"it is {value!r:.60} but should be a number") from None
    if not math.isfinite(converted):
        raise ValueError(f"it is {value!r:.60} but should be a finite number")
    return converted


def whole(value: Any) -> int:
    converted = number(value)
    if converted != int(converted):
        raise ValueError(f"it is {value!r:.60} but should be a whole number")
    return int(converted)


def flag(value: Any) -> bool:
    spelled = str(value).strip().lower()
    if spelled in ("true", "1", "yes", "on", "1.0"):
        return True
    if spelled in ("false", "0", "no", "off", "0.0"):
        return False
    raise ValueError(f"it is {value!r:.60} but should be true or false")


def opposite(value: Any) -> bool:
    return not flag(value)


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"it is {value!r:.60} but should be a text")


def one_of(choices: Mapping[str, Any], *, what: str) -> Convert:
    """By name, whatever its case. A choice of None has no equal here."""

    def convert(value: Any) -> Any:
        chosen = choices.get(str(value).strip().lower())
        if chosen is None:
            raise ValueError(f"{what} {value!r:.60} has no equal here")
        return chosen

    return convert


def edge(value: Any) -> int:
    """The edge of a square with the area of a size: 512, "512", [512, 768], "512,768" or "512x768"."""
    parts = value if isinstance(value, list) else str(value).lower().replace("x", ",").split(",")
    sides = [whole(part.strip() if isinstance(part, str) else part) for part in parts]
    if not 1 <= len(sides) <= 2 or any(not 0 < side < 100_000 for side in sides):
        raise ValueError(f"it is {value!r:.60} but should be a size in pixels")
    return sides[0] if len(set(sides)) == 1 else round(math.sqrt(sides[0] * sides[1]))


def is_square(value: Any) -> bool:
    parts = value if isinstance(value, list) else str(value).lower().replace("x", ",").split(",")
    return len({str(part).strip() for part in parts}) == 1
