"""Whether anybody's rights may have changed, asked once a second for everybody who is connected."""

import asyncio
import time

from sqlalchemy import func, select

from service.audit.chain import event_chain
from service.database import Database

SECONDS = 1.0


class Freshness:
    """Rights, sessions and keys change only with an event: until there is a new one, nobody needs to be looked at again.

    The database is asked, for the command line writes to it as well. Used from the event loop.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = asyncio.Lock()
        self._asked_at = -SECONDS
        self._newest = 0

    async def newest_event(self) -> int:
        """Its position, as of a second ago at most."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= SECONDS:
                self._newest = await asyncio.to_thread(self._read)
                self._asked_at = time.monotonic()
        return self._newest

    def _read(self) -> int:
        with self._database.reading() as session:
            return session.scalar(select(func.max(event_chain.c.position))) or 0
