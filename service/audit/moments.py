"""Points in time as they are given to narrow the log."""

from datetime import UTC, datetime

from domain.errors import InvalidInput


def in_utc(moment: datetime | None, *, name: str) -> datetime | None:
    """Raises InvalidInput for one without a zone, and for one that lies outside of the calendar."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidInput(f"{name} has no time zone; write it like 2030-01-31T12:00:00Z", path=(name,))
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput(f"{name} is {moment.isoformat()}, which is outside of the calendar", path=(name,)) from error
