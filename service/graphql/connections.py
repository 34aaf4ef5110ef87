"""Relay connections over the pages of read models."""

from collections.abc import Callable
from typing import Generic, TypeVar

import strawberry

from domain.errors import InvalidInput
from service.cursors import encode_position
from service.graphql.scalars import Cursor
from service.read_models.pages import Page

MAX_FIRST = 100
NodeType = TypeVar("NodeType")
Row = TypeVar("Row")


@strawberry.type(description="Where a page of a list lies in the whole.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="There is more behind endCursor.")
    has_previous_page: bool = strawberry.field(description="There is more before startCursor.")
    start_cursor: Cursor | None = strawberry.field(description="Cursor of the first edge.")
    end_cursor: Cursor | None = strawberry.field(description="Cursor of the last edge.")


@strawberry.type(description="One entry of a list with its place in it.")
class Edge(Generic[NodeType]):
    cursor: Cursor = strawberry.field(description="Give it as `after` to go on behind this entry.")
    node: NodeType = strawberry.field(description="The entry itself.")


@strawberry.type(description="A page of a list, newest first.")
class Connection(Generic[NodeType]):
    edges: list[Edge[NodeType]] = strawberry.field(description="The entries of this page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int = strawberry.field(description="How many entries the whole list has.")


def check_first(first: int) -> int:
    """Raises InvalidInput."""
    if not 0 <= first <= MAX_FIRST:
        raise InvalidInput(f"first is {first} but must be from 0 to {MAX_FIRST}", path=("first",))
    return first


def connect(page: Page[Row], make: Callable[[Row], NodeType]) -> Connection[NodeType]:
    edges = [Edge(cursor=Cursor(encode_position(position)), node=make(row)) for position, row in page.items]
    return Connection(
        edges=edges,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        total_count=page.total,
    )
