"""Wakes those who follow a log when something may have been added to it."""

import asyncio

HEARTBEAT_SECONDS = 1.0
"""How long a follower sleeps at the most: what another process wrote is seen by then, whatever was lost."""


class Mark:
    """A point in time before reading: waiting on it misses nothing that came after."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    @property
    def has_rung(self) -> bool:
        return self._event.is_set()

    async def wait(self, seconds: float = HEARTBEAT_SECONDS) -> None:
        """Until the bell rings, or the time is over."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return


class Bell:
    """Rung from any thread, heard in the event loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def mark(self) -> Mark:
        return Mark(self._event)

    def ring(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        rung, self._event = self._event, asyncio.Event()
        rung.set()
