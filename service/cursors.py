"""Cursors: opaque positions in a log, good only for the store they came from."""

import base64
import binascii
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import Column, Integer, Table, Uuid, insert, select

from domain.errors import InvalidInput
from service.database import Database, metadata

store_identity = Table(
    "store_identity",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("id", Uuid, nullable=False),
)


@dataclass(frozen=True, slots=True)
class RunCursor:
    """event: notification id; chunk and line: ids of the last metric chunk and log line that were seen."""

    event: int = 0
    chunk: int = 0
    line: int = 0


def read_store_id(database: Database) -> UUID:
    """Made at the first start; a copy of the database keeps it."""
    with database.writing() as session:
        known: UUID | None = session.scalar(select(store_identity.c.id))
        if known is None:
            known = uuid4()
            session.execute(insert(store_identity).values(row=1, id=known))
        return known


def encode_run_cursor(cursor: RunCursor, *, store_id: UUID) -> str:
    return _encode(f"run:{store_id.hex[:12]}:{cursor.event}:{cursor.chunk}:{cursor.line}")


def decode_run_cursor(text: str, *, store_id: UUID) -> RunCursor:
    """Raises InvalidInput for what is no cursor of a run, or one of another store."""
    parts = _decode(text).split(":")
    if len(parts) != 5 or parts[0] != "run" or not all(part.isdecimal() and len(part) < 19 for part in parts[2:]):
        raise _not_a_cursor(text)
    if parts[1] != store_id.hex[:12]:
        raise InvalidInput("that cursor is from another SimpleTuner; begin without one", path=("after",))
    return RunCursor(*(int(part) for part in parts[2:]))


def encode_position(position: int) -> str:
    return _encode(f"at:{position}")


def decode_position(text: str | None) -> int | None:
    """Raises InvalidInput for what is no cursor of a list."""
    if text is None:
        return None
    kind, _, number = _decode(text).partition(":")
    if kind != "at" or not number.isdecimal() or len(number) > 18:
        raise _not_a_cursor(text)
    return int(number)


def encode_name(name: bytes) -> str:
    return _encode(f"name:{name.hex()}")


def decode_name(text: str | None) -> bytes | None:
    """Raises InvalidInput for what is no cursor of a list by name."""
    if text is None:
        return None
    kind, _, name = _decode(text).partition(":")
    try:
        if kind == "name":
            return bytes.fromhex(name)
    except ValueError:
        pass
    raise _not_a_cursor(text)


def encode_scan_cursor(order_id: str, version: int) -> str:
    return _encode(f"scan:{order_id}:{version}")


def check_scan_cursor(text: str) -> None:
    """Raises InvalidInput for what is no cursor of a scan."""
    kind, _, rest = _decode(text).partition(":")
    if kind != "scan" or not rest.rpartition(":")[2].isdecimal():
        raise _not_a_cursor(text)


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise _not_a_cursor(text) from error


def _not_a_cursor(text: str) -> InvalidInput:
    return InvalidInput(f"{text[:60]!r} is no cursor; use one that the API gave, or none", path=("after",))
