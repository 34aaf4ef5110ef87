"""Sealed values: AES-256-GCM, each bound to its owner, its name and its key, in a table that events never see.

Whoever has the database alone reads nothing in it, and cannot move a value to where somebody else would be given it.
owner_id: a user, the policy for what is shared, or a sign-in provider.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, LargeBinary, Row, Table, Text, Uuid, delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from service.database import Database, metadata
from service.secrets.key import VARIABLE, KeyRing, KeyTrouble, SecretKey, new_key

sealed_values = Table(
    "sealed_values",
    metadata,
    Column("owner_id", Uuid, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Vault:
    """Methods that write are called in a writing transaction: the key is chosen while nobody rotates it."""

    ring: KeyRing

    def put(self, session: Session, owner_id: UUID, name: str, value: str) -> None:
        """In place of what was there. Raises KeyTrouble."""
        _keep_writers_out(session)
        key = self.ring.newest()
        sealed = _seal(key, owner_id, name, value.encode())
        self.remove(session, owner_id, name)
        session.execute(insert(sealed_values).values(owner_id=owner_id, name=name, key_id=key.id, sealed=sealed))

    def find(self, session: Session, owner_id: UUID, name: str) -> str | None:
        """The value, None when there is none. Raises KeyTrouble when it cannot be opened."""
        keys = self._keys_beforehand()
        row = session.execute(select(sealed_values).where(_at(owner_id, name))).first()
        return None if row is None else self._open(row, keys).decode()

    def find_all(self, session: Session, owner_ids: Sequence[UUID]) -> dict[str, str]:
        """By name; of one name, that of the later owner. Raises KeyTrouble."""
        keys = self._keys_beforehand()
        counting: dict[str, Row[Any]] = {}
        for owner_id in owner_ids:
            rows = session.execute(select(sealed_values).where(sealed_values.c.owner_id == owner_id))
            counting |= {row.name: row for row in rows}
        return {name: self._open(row, keys).decode() for name, row in sorted(counting.items())}

    def remove(self, session: Session, owner_id: UUID, name: str) -> None:
        session.execute(delete(sealed_values).where(_at(owner_id, name)))

    def check(self, session: Session) -> None:
        """Whether all that is there was sealed with keys that are there. Raises KeyTrouble."""
        rows = session.execute(select(sealed_values.c.key_id, func.count()).group_by(sealed_values.c.key_id)).all()
        known = {key.id for key in self.ring.read()}
        unknown = sum(number for key_id, number in rows if key_id not in known)
        if unknown:
            raise KeyTrouble(
                f"{unknown} stored secrets cannot be read: they were sealed with another key than that in {self.ring.place}; "
                "put the earlier key back, or store them again"
            )

    def rotate(self, database: Database) -> int:
        """Seal everything with a new key; returns how much that was. Raises KeyTrouble.

        The file has the earlier key until nothing is sealed with it any more: whatever ends this in between, all can be
        read, and doing it again goes on from there.
        """
        if self.ring.given is not None and len(self.ring.read()) < 2:
            raise KeyTrouble(
                f"{VARIABLE} holds the key, so put a new one in front of it, with a comma between them, start the service "
                "with both, and rotate again; then the earlier one can go"
            )
        self._change_keys(database, lambda used: [new_key(), *used])
        with database.writing() as session:
            _keep_writers_out(session)
            number = self._seal_anew(session)
        self._change_keys(database, lambda used: used or self.ring.read()[:1])
        return number

    def _change_keys(self, database: Database, change: Callable[[list[SecretKey]], list[SecretKey]]) -> None:
        """Of those in the file; change: is given those that something is sealed with, the newest first."""
        if self.ring.given is None:
            with database.writing() as session:
                _keep_writers_out(session)
                ids = set(session.scalars(select(sealed_values.c.key_id).distinct()))
                self.ring.write(change([key for key in self.ring.read() if key.id in ids]))

    def _seal_anew(self, session: Session) -> int:
        key, keys = self.ring.newest(), self.ring.read()
        rows = session.execute(select(sealed_values)).all()
        for row in rows:
            sealed = _seal(key, row.owner_id, row.name, self._open(row, keys))
            session.execute(
                update(sealed_values).where(_at(row.owner_id, row.name)).values(key_id=key.id, sealed=sealed)
            )
        return len(rows)

    def _keys_beforehand(self) -> list[SecretKey]:
        """Read before what they open: one that is rotated away meanwhile is still known."""
        try:
            return self.ring.read()
        except KeyTrouble:
            return []  # said when there is something to open

    def _open(self, row: Row[Any], keys: Sequence[SecretKey]) -> bytes:
        try:
            key = next((each for each in keys if each.id == row.key_id), None) or self.ring.find(row.key_id)
            nonce, sealed = bytes(row.sealed[:NONCE_BYTES]), bytes(row.sealed[NONCE_BYTES:])
            return AESGCM(key.value).decrypt(nonce, sealed, _place(key, row.owner_id, row.name))
        except KeyTrouble as trouble:
            raise KeyTrouble(f"the secret {row.name} cannot be read: {trouble}", path=("name",)) from trouble
        except InvalidTag as error:
            raise KeyTrouble(
                f"the secret {row.name} cannot be read: it was altered in the database; store it again", path=("name",)
            ) from error


def remove_all_of(session: Session, owner_id: UUID) -> None:
    session.execute(delete(sealed_values).where(sealed_values.c.owner_id == owner_id))


def owners_of(session: Session, name: str) -> frozenset[UUID]:
    """Who has a value of that name."""
    return frozenset(session.scalars(select(sealed_values.c.owner_id).where(sealed_values.c.name == name)))


def _seal(key: SecretKey, owner_id: UUID, name: str, value: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key.value).encrypt(nonce, value, _place(key, owner_id, name))


def _place(key: SecretKey, owner_id: UUID, name: str) -> bytes:
    """What a value is bound to; ids of owners are 16 bytes and those of keys 16 letters, so nothing runs into another."""
    return owner_id.bytes + key.id.encode() + name.encode()


def _at(owner_id: UUID, name: str) -> Any:
    return (sealed_values.c.owner_id == owner_id) & (sealed_values.c.name == name)


def _keep_writers_out(session: Session) -> None:
    """On SQLite there is but one writer anyhow."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE sealed_values IN SHARE ROW EXCLUSIVE MODE"))
