"""Scalars of ours, and global ids."""

import base64
import binascii
from typing import Any, NewType
from uuid import UUID

import strawberry
from strawberry.types.scalar import ScalarDefinition

from domain.errors import NotFound

Cursor = NewType("Cursor", str)

SCALARS: dict[object, ScalarDefinition] = {
    Cursor: strawberry.scalar(name="Cursor", description="An opaque position in a list or a stream.")
}


def encode_id(kind: str, key: UUID | str) -> strawberry.ID:
    """A global id: opaque to clients, unique among all kinds of things."""
    text = f"{kind}:{key.hex if isinstance(key, UUID) else key}"
    return strawberry.ID(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def decode_id(kind: str, given: Any, *, path: str = "id") -> UUID:
    """Raises NotFound for an id that is not of this kind: whoever made it up learns nothing from the answer."""
    found, key = split_id(str(given))
    if found != kind:
        raise NotFound(f"there is no {_spoken(kind)} with the id {str(given)[:60]!r}", path=(path,))
    try:
        return UUID(key)
    except ValueError as error:
        raise NotFound(f"there is no {_spoken(kind)} with the id {str(given)[:60]!r}", path=(path,)) from error


def decode_name(kind: str, given: Any, *, path: str = "id") -> str:
    """As decode_id, for kinds whose key is a name."""
    found, name = split_id(str(given))
    if found != kind:
        raise NotFound(f"there is no {_spoken(kind)} with the id {str(given)[:60]!r}", path=(path,))
    return name


def split_id(given: str) -> tuple[str, str]:
    """Kind and key; two empty strings for what is no id of ours."""
    try:
        kind, _, key = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode().partition(":")
    except (binascii.Error, UnicodeError, ValueError):
        return "", ""
    return kind, key


def _spoken(kind: str) -> str:
    return {"TrainingRun": "run", "ApiKey": "API key", "AccessRule": "rule", "AuthProvider": "sign-in provider"}.get(
        kind, kind.lower()
    )
