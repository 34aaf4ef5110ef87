"""The difference of two configurations, as it is kept in events."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class Change(TypedDict):
    """One option; before or after is absent where the option was, or is, not set."""

    key: str
    before: NotRequired[Any]
    after: NotRequired[Any]


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """By key, in alphabetical order; 1 and True are different values."""
    changes: list[Change] = []
    for key in sorted({*before, *after}):
        if key in before and key in after and _same(before[key], after[key]):
            continue
        change = Change(key=key)
        if key in before:
            change["before"] = before[key]
        if key in after:
            change["after"] = after[key]
        changes.append(change)
    return changes


def apply_changes(config: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    changed = {key: value for key, value in config.items() if key not in {change["key"] for change in changes}}
    return changed | {change["key"]: change["after"] for change in changes if "after" in change}


def undo_changes(config: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """What the configuration was before the changes."""
    changed = {key: value for key, value in config.items() if key not in {change["key"] for change in changes}}
    return changed | {change["key"]: change["before"] for change in changes if "before" in change}


def reverse_change(change: Change) -> Change:
    reversed_change = Change(key=change["key"])
    if "after" in change:
        reversed_change["before"] = change["after"]
    if "before" in change:
        reversed_change["after"] = change["before"]
    return reversed_change


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
