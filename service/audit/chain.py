"""The hash chain over the events: whoever alters the database without the key leaves a link that does not fit.

    digest(i) = HMAC-SHA256(key, digest(i-1) ‖ position ‖ originator version ‖ originator id ‖ length of topic ‖ topic ‖ state)

Positions, versions and lengths are 8 bytes, big end first; the originator id is 16 bytes; the first event follows GENESIS.
Each link is written in the transaction of its event, while nobody else can write one.
"""

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from eventsourcing.persistence import PersistenceError, StoredEvent
from sqlalchemy import Column, LargeBinary, Table, insert, select
from sqlalchemy.orm import Session

from service.database import metadata
from service.read_models.columns import Big

event_chain = Table(
    "event_chain",
    metadata,
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
)

GENESIS = hashlib.sha256(b"SimpleTuner event chain").digest()


class BrokenChain(PersistenceError):
    """Nothing can be written behind links without events: it would hide that events are missing."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain goes, and its digest there; noted elsewhere, it shows later whether the end was cut off."""

    position: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.digest.hex()}"


NO_EVENTS = Head(0, GENESIS)


def link(key: bytes, previous: bytes, event: StoredEvent, *, position: int) -> bytes:
    """The digest of an event behind the one with the digest `previous`."""
    topic = event.topic.encode()
    originator = event.originator_id if isinstance(event.originator_id, UUID) else UUID(event.originator_id)
    placed = struct.pack(">QQ16sQ", position, event.originator_version, originator.bytes, len(topic))
    return hmac.digest(key, b"".join((previous, placed, topic, event.state)), "sha256")


def read_head(session: Session) -> Head:
    row = session.execute(select(event_chain).order_by(event_chain.c.position.desc()).limit(1)).first()
    return NO_EVENTS if row is None else Head(row.position, bytes(row.digest))


def append_links(session: Session, key: bytes, events: Sequence[StoredEvent], *, positions: Sequence[int]) -> None:
    """In the transaction that inserted the events, which keeps other writers out until it ends. Raises BrokenChain."""
    head = read_head(session)
    if positions and positions[0] <= head.position:
        raise BrokenChain(
            f"the event at {positions[0]} does not follow the newest link, which is {head.position}: events were removed "
            "from the database; simpletuner audit verify tells which"
        )
    digest, rows = head.digest, []
    for event, position in zip(events, positions, strict=True):
        digest = link(key, digest, event, position=position)
        rows.append({"position": position, "digest": digest})
    if rows:
        session.execute(insert(event_chain), rows)
