"""Limits counted in the process."""

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from app.policies.limits.leasing import Leases
from app.policies.limits.model import Decision, Quota, Standing


@lru_cache(maxsize=10_000)
def item_of(quota: Quota) -> RateLimitItem:
    """Return a quota as the library writes it."""
    return RateLimitItemPerSecond(quota.amount, quota.seconds, quota.name)


class MemoryRateLimiter:
    """A `RateLimiter` for one process: a sliding window, of which only two counters are kept.

    The library starts a thread now and then and counts in some forty microseconds, so what it counts is leased.

    Args:
        clock: a monotonic clock in seconds, for leases.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._strategy = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._leases = Leases(clock)

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request."""
        standings: list[Standing] = []
        for subject, quota in reversed(quotas):
            standing = self._leases.spend(subject, quota) or self._leased(subject, quota)
            standings.append(standing)
            if standing.remaining < 0:
                refused = Standing(quota, 0, standing.reset)
                return Decision(False, (refused, *reversed(standings[:-1])), max(standing.reset, 1.0))
        return Decision(True, tuple(reversed(standings)))

    def at_hand(self, quotas: Sequence[tuple[str, Quota]]) -> Callable[[], Decision] | None:
        """Return what counts one request out of leases; None where one is to be taken, or has been refused."""
        return self._leases.at_hand(quotas)

    def _leased(self, subject: str, quota: Quota) -> Standing:
        item = item_of(quota)
        sizes = dict.fromkeys((self._leases.wanted(subject, quota), 1))
        size = next((size for size in sizes if self._strategy.hit(item, subject, cost=size)), 0)
        stats = self._strategy.get_window_stats(item, subject)
        standing = Standing(quota, stats.remaining, max(stats.reset_time - time.time(), 0.0))
        return self._leases.begin(subject, quota, size, standing)


class MemoryWindow:
    """An exact window for what is done rarely."""

    def __init__(self) -> None:
        self._strategy = MovingWindowRateLimiter(MemoryStorage())

    async def hit(self, subject: str, quota: Quota) -> Decision:
        """Count one time, if the quota has room for it."""
        item = item_of(quota)
        allowed = self._strategy.hit(item, subject)
        stats = self._strategy.get_window_stats(item, subject)
        reset = max(stats.reset_time - time.time(), 0.0)
        return Decision(allowed, (Standing(quota, stats.remaining, reset),), 0.0 if allowed else max(reset, 1.0))
