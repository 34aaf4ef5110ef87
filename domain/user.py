"""User: somebody who signs in. Names, e-mail addresses and password digests are kept elsewhere, never in events."""

from collections.abc import Sequence
from uuid import UUID

from eventsourcing.domain import AggregateCreated

from domain.access import LEVELS, Actor
from domain.aggregate import Noun
from domain.errors import InvalidInput, NotFound


class User(Noun):
    TOPIC = "User"

    class Event(Noun.Event):
        pass

    class Registered(Event, AggregateCreated):
        TOPIC = "User.Registered"
        levels: list[str]

    class ApiKeyCreated(Event):
        TOPIC = "User.ApiKeyCreated"
        key_id: UUID

        def apply(self, aggregate: "User") -> None:
            aggregate.api_keys.add(self.key_id)

    class ApiKeyRevoked(Event):
        TOPIC = "User.ApiKeyRevoked"
        key_id: UUID

        def apply(self, aggregate: "User") -> None:
            aggregate.api_keys.discard(self.key_id)

    def __init__(self, *, levels: list[str]) -> None:
        self.levels = list(levels)
        self.api_keys: set[UUID] = set()

    @classmethod
    def register(cls, actor: Actor, *, levels: Sequence[str]) -> "User":
        unknown = [level for level in levels if level not in LEVELS]
        if unknown:
            raise InvalidInput(
                f"there is no level named {unknown[0]!r}; there are {', '.join(LEVELS)}", path=("levels",)
            )
        return cls._begin(cls.Registered, actor, levels=list(levels))

    def create_api_key(self, actor: Actor, *, key_id: UUID) -> None:
        self._record(self.ApiKeyCreated, actor, key_id=key_id)

    def revoke_api_key(self, actor: Actor, *, key_id: UUID) -> None:
        if key_id not in self.api_keys:
            raise NotFound("there is no such API key, or it has been revoked already", path=("id",))
        self._record(self.ApiKeyRevoked, actor, key_id=key_id)
