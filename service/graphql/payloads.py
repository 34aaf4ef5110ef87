"""What all payloads have."""

from typing import Any

import strawberry

from service.graphql.errors import UserError


def no_errors() -> Any:
    """The field `errors` of a payload."""
    return strawberry.field(default_factory=list, description="What was refused, and why; empty when it was done.")


@strawberry.type(description="The result of deleting something.")
class DeletePayload:
    deleted_id: strawberry.ID | None = strawberry.field(default=None, description="Null when refused.")
    errors: list[UserError] = no_errors()
