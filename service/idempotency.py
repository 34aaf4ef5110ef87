"""The same idempotency key gives the same result and one set of events, across restarts and for concurrent duplicates.

The key is kept in the same transaction as what it stands for, so it exists exactly when that exists.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Table, Text, Uuid, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.application import AlongNew
from domain.errors import InvalidInput, KeyReused, Refusal
from service.database import Database, metadata
from service.read_models.columns import Moment

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("result_id", Uuid, nullable=False),
    Column("at", Moment, nullable=False),
)

MAX_KEY_LENGTH = 200


class _AlreadyDone(Exception):
    """Another request with the same key was faster."""


def run_once(
    database: Database,
    *,
    key: str | None,
    user_id: UUID,
    operation: str,
    given: Mapping[str, Any],
    work: Callable[[AlongNew | None], UUID],
) -> UUID:
    """The id that `work` returns, or returned before for this key. Raises KeyReused for a key with another input."""
    if key is None:
        return work(None)
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidInput(f"an idempotency key has 1 to {MAX_KEY_LENGTH} characters", path=("idempotencyKey",))
    digest = _digest(operation, given)
    done = _find(database, key=key, user_id=user_id, digest=digest)
    if done is not None:
        return done

    def remember(session: Session, result_id: UUID) -> None:
        values = {"user_id": user_id, "key": key, "digest": digest, "result_id": result_id, "at": datetime.now(UTC)}
        try:
            session.execute(insert(idempotency_keys).values(**values))
        except IntegrityError as error:
            raise _AlreadyDone from error

    try:
        return work(remember)
    except (_AlreadyDone, Refusal):
        # A concurrent duplicate was faster; what it made may be the very reason for the refusal (a name in use).
        done = _find(database, key=key, user_id=user_id, digest=digest)
        if done is None:
            raise
        return done


def _find(database: Database, *, key: str, user_id: UUID, digest: str) -> UUID | None:
    with database.reading() as session:
        row = session.execute(
            select(idempotency_keys).where(idempotency_keys.c.user_id == user_id, idempotency_keys.c.key == key)
        ).first()
    if row is None:
        return None
    if row.digest != digest:
        raise KeyReused(
            f"the idempotency key {key!r} was used before for something else; take a new one", path=("idempotencyKey",)
        )
    result: UUID = row.result_id
    return result


def _digest(operation: str, given: Mapping[str, Any]) -> str:
    text = json.dumps([operation, given], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
