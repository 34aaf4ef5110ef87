"""The interface of everything that has a global id."""

import strawberry

from domain.access import Resource


@strawberry.interface(description="Something with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, unique among everything.")

    @property
    def resource(self) -> Resource | None:
        """What permissions and rules are asked for; None for what has rules of its own."""
        return None
