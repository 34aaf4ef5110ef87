"""An entry of the audit log in one line, for people."""

from collections.abc import Sequence
from typing import Any

from domain.config.changes import Change

MAX_VALUE = 40
MAX_KEYS = 5


def summarise(action: str, changes: Sequence[Change]) -> str:
    """action: for example environment.config_changed."""
    happened = action.partition(".")[2].replace("_", " ").replace("api key", "API key")
    telling = [change for change in changes if not change["key"].endswith("_id")]
    if len(telling) == 1 and "before" in telling[0]:
        before, after = (spoken(telling[0].get(side)) for side in ("before", "after"))
        return f"{telling[0]['key']}: {before} → {after}" if before and after else f"changed {telling[0]['key']}"
    if happened.endswith("changed") and len(telling) > 1:
        keys = [change["key"] for change in telling]
        return f"changed {', '.join(keys[:MAX_KEYS])}" + (" …" if len(keys) > MAX_KEYS else "")
    name = next((change["after"] for change in telling if change["key"] == "name" and "after" in change), None)
    if name is not None:
        return f"{happened}: {name}"
    values = [(change["key"], spoken(change.get("after"))) for change in telling]
    said = ", ".join(f"{key}: {value}" for key, value in values if value)
    return f"{happened} ({said})" if said else happened


def spoken(value: Any) -> str:
    """A value that fits into a line; nothing for one that does not."""
    match value:
        case None:
            text = "not set"
        case bool():
            text = "yes" if value else "no"
        case str() | int() | float():
            text = str(value) or '""'
        case list() if all(isinstance(each, str) for each in value):
            text = ", ".join(value) or "none"
        case _:
            text = ""
    return text if len(text) <= MAX_VALUE else ""
