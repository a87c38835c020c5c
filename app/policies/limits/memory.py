"""Limits counted in the process."""

import time
from collections.abc import Sequence
from functools import lru_cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

from app.policies.limits.model import Decision, Quota, Standing


@lru_cache(maxsize=10_000)
def item_of(quota: Quota) -> RateLimitItem:
    """Return a quota as the library writes it."""
    return RateLimitItemPerSecond(quota.amount, quota.seconds, quota.name)


class MemoryRateLimiter:
    """A `RateLimiter` for one process: a sliding window, of which only two counters are kept."""

    def __init__(self) -> None:
        self._strategy = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request."""
        standings: list[Standing] = []
        for subject, quota in reversed(quotas):
            item = item_of(quota)
            allowed = self._strategy.hit(item, subject)
            stats = self._strategy.get_window_stats(item, subject)
            reset = max(stats.reset_time - time.time(), 0.0)
            standings.append(Standing(quota, stats.remaining if allowed else 0, reset))
            if not allowed:
                return Decision(False, tuple(reversed(standings)), max(reset, 1.0))
        return Decision(True, tuple(reversed(standings)))


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
