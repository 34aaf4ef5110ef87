"""How often one may try: wrong passwords by account and by address, and how many are checked at once."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from domain.errors import TooManyTries, WrongCredentials

Done = TypeVar("Done")

BY_ACCOUNT_AND_ADDRESS = parse("10/5 minutes")
BY_ACCOUNT = parse("100/hour")
BY_ADDRESS = parse("30/minute")
REGISTRATIONS_BY_ADDRESS = parse("5/minute")
MAX_AT_ONCE = 2
"""Digesting a password takes a core and 64 MiB of memory; this many at once leave room for everybody else."""

MAX_WAITING = 64


class Throttle:
    """Counts in memory: one service, one count; a restart forgives. Used from the event loop."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._num_waiting = 0

    async def try_password(self, work: Callable[[], Done], *, account: str, address: str) -> Done:
        """Run `work` in a thread when it is its turn, and count it when it raises WrongCredentials.

        Whether there is such an account makes no difference. Raises TooManyTries, then without running it.
        """
        counts: list[tuple[RateLimitItem, tuple[str, ...]]] = [
            (BY_ACCOUNT_AND_ADDRESS, (account.strip().casefold(), address)),
            (BY_ACCOUNT, (account.strip().casefold(),)),
            (BY_ADDRESS, (address,)),
        ]
        self._check(counts)

        def checked() -> Done:
            self._check(counts)
            try:
                return work()
            except WrongCredentials:
                for limit, key in counts:
                    self._limiter.hit(limit, *key)
                raise

        return await self.take_turn(checked)

    async def take_turn(self, work: Callable[[], Done]) -> Done:
        """Run what digests a password in a thread when it is its turn. Raises TooManyTries when too many wait."""
        if self._num_waiting >= MAX_WAITING:
            raise TooManyTries("too many people are signing in at this moment; try again in a few seconds")
        self._num_waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._num_waiting -= 1

    def count_registration(self, address: str) -> None:
        """Raises TooManyTries."""
        counts: list[tuple[RateLimitItem, tuple[str, ...]]] = [(REGISTRATIONS_BY_ADDRESS, ("register", address))]
        self._check(counts)
        self._limiter.hit(REGISTRATIONS_BY_ADDRESS, "register", address)

    def _check(self, counts: list[tuple[RateLimitItem, tuple[str, ...]]]) -> None:
        for limit, key in counts:
            if not self._limiter.test(limit, *key):
                seconds = max(1, math.ceil(self._limiter.get_window_stats(limit, *key).reset_time - time.time()))
                raise TooManyTries(f"too many tries; try again in {seconds} seconds")
