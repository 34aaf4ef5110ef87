"""How often one may try: wrong passwords by account and by address, secrets, and how many are checked at once."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from domain.errors import TooManyTries, WrongCredentials
from service.access.tokens import digest_token

log = logging.getLogger(__name__)

Done = TypeVar("Done")

BY_ACCOUNT_AND_ADDRESS = parse("10/5 minutes")
BY_ACCOUNT = parse("100/hour")
BY_ADDRESS = parse("30/minute")
REGISTRATIONS_BY_ADDRESS = parse("5/minute")
SECRETS_BY_ACCOUNT = parse("20/5 minutes")
MAX_AT_ONCE = 2
"""Digesting a password takes a core and 64 MiB of memory; this many at once leave room for everybody else."""

MAX_ASKED_AT_ONCE = 4
"""Asking a directory takes only time, in threads of their own: while one does not answer, all else goes on."""

MAX_WAITING = 64


class Throttle:
    """Counts in memory: one service, one count; a restart forgives. Used from the event loop."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)
        self._asking = ThreadPoolExecutor(MAX_ASKED_AT_ONCE, thread_name_prefix="directory")
        self._checking = ThreadPoolExecutor(MAX_ASKED_AT_ONCE, thread_name_prefix="hub")
        self._num_waiting = 0
        self._num_asking = 0

    async def try_password(
        self, work: Callable[[], Done], *, account: str, address: str, is_asked_elsewhere: bool = False
    ) -> Done:
        """Run `work` in a thread when it is its turn, and count it when it raises WrongCredentials.

        is_asked_elsewhere: a directory checks the password, not this machine. Whether there is such an account makes no
        difference. Raises TooManyTries, then without running it.
        """
        digest = digest_token(account.strip().casefold())  # what is guessed may be long, and is remembered for an hour
        counts: list[tuple[RateLimitItem, tuple[str, ...]]] = [
            (BY_ACCOUNT_AND_ADDRESS, (digest, address)),
            (BY_ACCOUNT, (digest,)),
            (BY_ADDRESS, (address,)),
        ]
        self._check(counts)

        def checked() -> Done:
            self._check(counts)
            try:
                return work()
            except WrongCredentials:
                log.info("sign-in refused address=%s", address)
                for limit, key in counts:
                    self._limiter.hit(limit, *key)
                raise

        return await (self._ask(checked) if is_asked_elsewhere else self.take_turn(checked))

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

    async def _ask(self, work: Callable[[], Done]) -> Done:
        if self._num_asking >= MAX_WAITING:
            raise TooManyTries("too many people are signing in at this moment; try again in a few seconds")
        self._num_asking += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._asking, work)
        finally:
            self._num_asking -= 1

    def count_registration(self, address: str) -> None:
        """Raises TooManyTries."""
        counts: list[tuple[RateLimitItem, tuple[str, ...]]] = [(REGISTRATIONS_BY_ADDRESS, ("register", address))]
        self._check(counts)
        self._limiter.hit(REGISTRATIONS_BY_ADDRESS, "register", address)

    async def check_secret(self, work: Callable[[], Done], *, account: str) -> Done:
        """Run what asks a hub about a token in a thread of its own, for each account only so often. Raises TooManyTries."""
        counts: list[tuple[RateLimitItem, tuple[str, ...]]] = [(SECRETS_BY_ACCOUNT, ("secrets", account))]
        self._check(counts)
        self._limiter.hit(SECRETS_BY_ACCOUNT, "secrets", account)
        return await asyncio.get_running_loop().run_in_executor(self._checking, work)

    def _check(self, counts: list[tuple[RateLimitItem, tuple[str, ...]]]) -> None:
        for limit, key in counts:
            if not self._limiter.test(limit, *key):
                seconds = max(1, math.ceil(self._limiter.get_window_stats(limit, *key).reset_time - time.time()))
                wait = f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
                raise TooManyTries(f"too many tries; try again in {wait}")
