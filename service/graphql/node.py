"""The interface of everything that has a global id."""

import strawberry


@strawberry.interface(description="Something with a global id.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, unique among everything.")
