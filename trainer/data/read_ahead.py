"""Reads what comes next in a thread of its own, while the device computes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Place = TypeVar("Place")
Read = TypeVar("Read")


class ReadAhead(Generic[Place, Read]):
    """read: called in one thread, for one place after another. following: the place after a place, None after the last.
    num_ahead: how many wait in memory; with 0, each is read when it is asked for."""

    def __init__(
        self, read: Callable[[Place], Read], following: Callable[[Place], Place | None], *, num_ahead: int
    ) -> None:
        self._read = read
        self._following = following
        self._num_ahead = num_ahead
        self._thread = ThreadPoolExecutor(1)
        self._waiting: dict[Place, Future[Read]] = {}

    def take(self, place: Place) -> Read:
        """Raises what read raises. Somewhere else than what waits, it starts over there."""
        if place not in self._waiting:
            self._drop()
            self._waiting[place] = self._thread.submit(self._read, place)
        taken = self._waiting.pop(place)
        last = next(reversed(self._waiting), place)
        while len(self._waiting) < self._num_ahead and (after := self._following(last)) is not None:
            self._waiting[after] = self._thread.submit(self._read, after)
            last = after
        return taken.result()

    def close(self) -> None:
        self._drop()
        self._thread.shutdown()

    def _drop(self) -> None:
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()
