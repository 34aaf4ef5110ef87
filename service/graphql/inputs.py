"""Checks that inputs of several nouns share."""

from typing import Any, TypeVar

from domain.errors import InvalidInput, NotFound

Row = TypeVar("Row")


def json_object(value: Any, *, path: str) -> dict[str, Any]:
    """A JSON object, {} for null. Raises InvalidInput."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput(f"{path} must be a JSON object of options and values", path=(path,))
    return value


def existing(row: Row | None, what: str, *, path: str = "id") -> Row:
    """Raises NotFound for None."""
    if row is None:
        raise NotFound(f"there is no {what} with that id", path=(path,))
    return row
