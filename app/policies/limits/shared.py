"""Limits counted in a store that workers and replicas share."""

import time
from collections.abc import Callable, Sequence

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis

from app.policies.limits.leasing import Leases
from app.policies.limits.memory import item_of
from app.policies.limits.model import UNLIMITED, Decision, Quota, Standing

_PAUSE_SECONDS = 0.5


def storage_of(url: str, client: Redis) -> RedisStorage:
    """Return the library's storage over a client's connections."""
    return RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="umg:limits",
        connection_pool=client.connection_pool,  # type: ignore[arg-type]  # the library passes it on as it is
    )


class _Outages:
    """Remembers for a moment that the store is gone, so that not every request waits to find out again."""

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._until = 0.0

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def began(self) -> None:
        self._until = time.monotonic() + _PAUSE_SECONDS
        self._on_failure()


class SharedRateLimiter:
    """A `RateLimiter` over a shared store.

    Most requests are counted in the process, out of a small lease that was counted in the store as a whole (see
    `Leases`). The sum over all processes never exceeds the quota; it may fall short of it by what is left of leases
    when they run out, after a second. While the store is gone, everything is allowed.

    Args:
        storage: the store.
        on_failure: told when the store cannot be used.
        clock: a monotonic clock in seconds, for leases.
    """

    def __init__(
        self, storage: RedisStorage, on_failure: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._strategy = SlidingWindowCounterRateLimiter(storage)
        self._outages = _Outages(on_failure)
        self._leases = Leases(clock)

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request."""
        standings: list[Standing] = []
        try:
            for subject, quota in reversed(quotas):
                standing = self._leases.spend(subject, quota) or await self._counted(subject, quota)
                if standing is None:
                    return UNLIMITED
                standings.append(standing)
                if standing.remaining < 0:
                    refused = Standing(quota, 0, standing.reset)
                    return Decision(False, (*reversed(standings[:-1]), refused), max(standing.reset, 1.0))
        except StorageError:
            self._outages.began()
            return UNLIMITED
        return Decision(True, tuple(reversed(standings)))

    async def _counted(self, subject: str, quota: Quota) -> Standing | None:
        """Count in the store; less than nothing remains where the quota is used up, None says that nobody counts."""
        async with self._leases.turn(subject, quota):
            if self._outages.lasts():
                return None
            return self._leases.spend(subject, quota) or await self._leased(subject, quota)

    async def _leased(self, subject: str, quota: Quota) -> Standing:
        item = item_of(quota)
        size = await self._take(item, subject, self._leases.wanted(subject, quota))
        stats = await self._strategy.get_window_stats(item, subject)
        standing = Standing(quota, stats.remaining, max(stats.reset_time - time.time(), 0.0))
        return self._leases.begin(subject, quota, size, standing)

    async def _take(self, item: RateLimitItem, subject: str, wanted: int) -> int:
        """Count as many as wanted, or one if there is no room for them; return how many."""
        for size in dict.fromkeys((wanted, 1)):
            if await self._strategy.hit(item, subject, cost=size):
                return size
        return 0


class SharedWindow:
    """An exact window for what is done rarely; allows everything while the store is gone.

    Args:
        storage: the store.
        on_failure: told when the store cannot be used.
    """

    def __init__(self, storage: RedisStorage, on_failure: Callable[[], None]) -> None:
        self._strategy = MovingWindowRateLimiter(storage)
        self._outages = _Outages(on_failure)

    async def hit(self, subject: str, quota: Quota) -> Decision:
        """Count one time, if the quota has room for it."""
        if self._outages.lasts():
            return UNLIMITED
        try:
            return await self._hit(subject, quota)
        except StorageError:
            self._outages.began()
            return UNLIMITED

    async def _hit(self, subject: str, quota: Quota) -> Decision:
        item = item_of(quota)
        allowed = await self._strategy.hit(item, subject)
        stats = await self._strategy.get_window_stats(item, subject)
        reset = max(stats.reset_time - time.time(), 0.0)
        return Decision(allowed, (Standing(quota, stats.remaining, reset),), 0.0 if allowed else max(reset, 1.0))
