"""Pages of a list in a stable order: newest first, by the position of the event that created the row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Row, Table, func, select
from sqlalchemy.orm import Session

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """items: with the position of each, which is where a next page goes on."""

    items: list[tuple[int, Item]]
    has_next: bool
    has_previous: bool
    total: int


def read_page(
    session: Session,
    table: Table,
    *,
    order: ColumnElement[int],
    where: Sequence[ColumnElement[bool]],
    first: int,
    after: int | None,
    make: Callable[[Row[Any]], Item],
) -> Page[Item]:
    """The rows behind `after` in falling order of `order`."""
    total = session.scalar(select(func.count()).select_from(table).where(*where)) or 0
    beyond = [] if after is None else [order < after]
    rows = session.execute(select(table).where(*where, *beyond).order_by(order.desc()).limit(first + 1)).all()
    items = [(row._mapping[order], make(row)) for row in rows[:first]]
    return Page(
        items=items, has_next=len(rows) > first, has_previous=after is not None and total > len(rows), total=total
    )
