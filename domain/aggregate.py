"""The common ground of the four aggregates: ids, and who caused each event."""

from typing import Any, Self
from uuid import UUID, uuid4

from eventsourcing.domain import AggregateCreated, AggregateEvent, BaseAggregate

from domain.access import Actor


class Noun(BaseAggregate[UUID]):
    """Commands check and then record an event; the event's `apply` changes the aggregate and cannot fail."""

    class Event(AggregateEvent):
        """by: the user, None for the service or the trainer; via and address as in Actor."""

        by: UUID | None
        via: str
        address: str

    @staticmethod
    def create_id() -> UUID:
        return uuid4()

    @classmethod
    def _begin(cls, event_class: type[AggregateCreated], actor: Actor, **fields: Any) -> Self:
        """The first event; its fields are given to __init__."""
        return cls._create(event_class, by=actor.user_id, via=actor.via, address=actor.address, **fields)

    def _record(self, event_class: type["Noun.Event"], actor: Actor, **fields: Any) -> None:
        self.trigger_event(event_class, by=actor.user_id, via=actor.via, address=actor.address, **fields)
