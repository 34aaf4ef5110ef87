"""When something goes wrong that nobody foresaw: one clean line outside, the details in the log."""

import logging
from uuid import uuid4

from eventsourcing import persistence
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError
from starlette.requests import HTTPConnection
from starlette.responses import Response

from service.access.requests import refusal
from service.headers import HEADERS

log = logging.getLogger(__name__)

OUTAGE = "The database cannot be reached or used at this moment; the log of the server says why."


def is_outage(error: BaseException | None) -> bool:
    """The database did not answer, rather than answering that something is wrong."""
    if isinstance(error, OperationalError | InterfaceError | TimeoutError):
        return True
    if isinstance(error, persistence.OperationalError | persistence.InterfaceError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


async def answer_database_error(_: HTTPConnection, error: Exception) -> Response:
    """Outside of GraphQL, which makes errors of its own."""
    if is_outage(error):
        log.error("the database does not answer: %s", " ".join(str(error).split()))
        return refusal(503, "UNAVAILABLE", OUTAGE)
    raise error


async def answer_failure(_: HTTPConnection, error: Exception) -> Response:
    """uvicorn writes the traceback after this line, and closes the connection. Nothing adds headers, so they are here."""
    number = uuid4().hex[:8]
    log.error("error=%s %s", number, type(error).__name__)
    answer = refusal(500, "INTERNAL", f"Something went wrong here (error {number} in the log of the server).")
    answer.headers.update(HEADERS | {"connection": "close"})
    return answer


FAILURES = {
    SQLAlchemyError: answer_database_error,
    persistence.PersistenceError: answer_database_error,
    Exception: answer_failure,
}
"""As Starlette takes them."""
