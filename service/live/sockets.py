"""How many websockets there may be, and how one ends when something fails that nobody foresaw."""

import logging
from collections import Counter
from types import TracebackType
from uuid import UUID

from starlette.websockets import WebSocket, WebSocketState

from service.outage import OUTAGE, is_outage

log = logging.getLogger(__name__)

MAX_OPERATIONS = 50
"""On one websocket at the same time; the web client has a handful."""

MAX_UNKNOWN_OF_ADDRESS = 50
"""Websockets of one address that have not said who they are; each has ten seconds for it."""

MAX_OF_USER = 200
"""Websockets of one user, over all tabs, scripts and dashboards."""

TRY_AGAIN_LATER = 1013
INTERNAL_ERROR = 1011


class SocketCounts:
    """What is open now. Used from the event loop."""

    def __init__(self) -> None:
        self._by_address: Counter[str | UUID] = Counter()
        self._by_user: Counter[str | UUID] = Counter()

    def unknown(self, address: str) -> "Place":
        return Place(self._by_address, address, limit=MAX_UNKNOWN_OF_ADDRESS)

    def of_user(self, user_id: UUID) -> "Place":
        return Place(self._by_user, user_id, limit=MAX_OF_USER)


class Place:
    """One of a limited number; is_given is False when all are taken."""

    def __init__(self, counts: Counter[str | UUID], key: str | UUID, *, limit: int) -> None:
        self._counts, self._key = counts, key
        self.is_given = counts[key] < limit
        if self.is_given:
            counts[key] += 1

    def leave(self) -> None:
        if not self.is_given:
            return
        self.is_given = False
        self._counts[self._key] -= 1
        if self._counts[self._key] == 0:
            del self._counts[self._key]


class ClosedOnFailure:
    """A websocket is told that it ends, and nothing of why; the error goes on and is logged by the server."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def __aenter__(self) -> None:
        return

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        is_expected = is_outage(error)
        if is_expected:
            log.error("the database does not answer: %s", " ".join(str(error).split()))
        if self._socket.application_state is WebSocketState.CONNECTED:
            code, said = (TRY_AGAIN_LATER, OUTAGE) if is_expected else (INTERNAL_ERROR, "something went wrong here")
            await self._socket.close(code, said)
        return is_expected
