"""Limits counted in a store that workers and replicas share."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis

from app.policies.limits.memory import item_of
from app.policies.limits.model import UNLIMITED, Decision, Quota, Standing

_LEASES = 50
_PAUSE_SECONDS = 0.5

_Key = tuple[str, Quota]


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

    def __init__(self, on_failure: Callable[[], None], now: Callable[[], float]) -> None:
        self._on_failure = on_failure
        self._now = now
        self._until = -inf

    def lasts(self) -> bool:
        return self._now() < self._until

    def began(self) -> None:
        self._until = self._now() + _PAUSE_SECONDS
        self._on_failure()


@dataclass(slots=True)
class _Lease:
    left: int
    until: float
    remaining: int
    reset_at: float

    def lasts(self, now: float) -> bool:
        return self.left > 0 and now < self.until

    def spend(self, quota: Quota, now: float) -> Standing:
        self.left -= 1
        return Standing(quota, self.remaining + self.left, max(self.reset_at - now, 0.0))


class _Taking:
    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.refused: Standing | None = None


class SharedRateLimiter:
    """A `RateLimiter` over a shared store.

    Most requests are counted in the process, out of a small lease of a fiftieth of the quota that was counted in the
    store as a whole; requests that come at once share one that is as large as their number. A lease lasts as long as
    the quota's window, so that a tenant that calls rarely gets what it was counted for. Hence the processes together
    allow no more than the quota, but for the rest of a lease that each may carry into the next window, and no less but
    for the rest that each may hold. While the store is gone, everything is allowed.

    Args:
        storage: the store.
        on_failure: told when the store cannot be used.
        now: a clock that only goes forward.
        most: leases kept at most.
    """

    def __init__(
        self,
        storage: RedisStorage,
        on_failure: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
        most: int = 20_000,
    ) -> None:
        self._strategy = SlidingWindowCounterRateLimiter(storage)
        self._outages = _Outages(on_failure, now)
        self._now = now
        self._most = most
        self._leases: OrderedDict[_Key, _Lease] = OrderedDict()
        self._taking: dict[_Key, _Taking] = {}
        self._asking: Counter[_Key] = Counter()

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request."""
        standings: list[Standing] = []
        try:
            for subject, quota in reversed(quotas):
                standing = self._leased(subject, quota) or await self._counted(subject, quota)
                if standing is None:
                    return UNLIMITED
                standings.append(standing)
                if standing.remaining < 0:
                    refused = Standing(quota, 0, standing.reset)
                    return Decision(False, (refused, *reversed(standings[:-1])), max(standing.reset, 1.0))
        except StorageError:
            return UNLIMITED
        return Decision(True, tuple(reversed(standings)))

    def _leased(self, subject: str, quota: Quota) -> Standing | None:
        lease, now = self._leases.get((subject, quota)), self._now()
        return lease.spend(quota, now) if lease is not None and lease.lasts(now) else None

    def at_hand(self, quotas: Sequence[tuple[str, Quota]]) -> Callable[[], Decision] | None:
        """Return what counts one request out of leases; None where the store is to be asked."""
        now = self._now()
        found: list[tuple[_Lease, Quota]] = []
        for each in quotas:
            lease = self._leases.get(each)
            if lease is None or not lease.lasts(now):
                return None
            found.append((lease, each[1]))
        return partial(_allowed, found, now)

    async def _counted(self, subject: str, quota: Quota) -> Standing | None:
        """Count in the store; less than nothing remains where the quota is used up, None says that nobody counts."""
        key = subject, quota
        self._asking[key] += 1
        try:
            while (taking := self._taking.get(key)) is not None:
                await taking.over.wait()
                standing = self._leased(subject, quota) or taking.refused
                if standing is not None:
                    return standing
            return None if self._outages.lasts() else await self._take_turn(key)
        finally:
            self._asking[key] -= 1
            if not self._asking[key]:
                del self._asking[key]

    async def _take_turn(self, key: _Key) -> Standing:
        """Take one lease for all who ask at the moment: a burst of requests is no burst for the store."""
        taking = self._taking[key] = _Taking()
        try:
            standing = await self._count(key, max(key[1].amount // _LEASES, self._asking[key]))
        except StorageError:
            self._outages.began()
            raise
        else:
            taking.refused = standing if standing.remaining < 0 else None
            return standing
        finally:
            del self._taking[key]
            taking.over.set()

    async def _count(self, key: _Key, wanted: int) -> Standing:
        subject, quota = key
        item = item_of(quota)
        size = await self._take(item, subject, wanted)
        stats = await self._strategy.get_window_stats(item, subject)
        # In a window's first millisecond the library takes what is left of it, all of it, for nothing.
        begun = stats.remaining + size == quota.amount
        reset = quota.seconds if begun else max(stats.reset_time - time.time(), 0.0)
        if size == 0:
            return Standing(quota, -1, reset)
        if size > 1:
            now = self._now()
            self._remember(key, _Lease(size - 1, now + quota.seconds, stats.remaining, now + reset))
        return Standing(quota, stats.remaining + size - 1, reset)

    async def _take(self, item: RateLimitItem, subject: str, wanted: int) -> int:
        """Count as many as wanted, or fewer if there is no room for them; return how many."""
        if await self._strategy.hit(item, subject, cost=wanted):
            return wanted
        left = (await self._strategy.get_window_stats(item, subject)).remaining
        for size in sorted({1, min(left, wanted)} - {0, wanted}, reverse=True):
            if await self._strategy.hit(item, subject, cost=size):
                return size
        return 0

    def _remember(self, key: _Key, lease: _Lease) -> None:
        self._leases[key] = lease
        self._leases.move_to_end(key)
        if len(self._leases) > self._most:
            self._leases.popitem(last=False)


def _allowed(leases: Sequence[tuple[_Lease, Quota]], now: float) -> Decision:
    return Decision(True, tuple([lease.spend(quota, now) for lease, quota in leases]))


class SharedWindow:
    """An exact window for what is done rarely; allows everything while the store is gone.

    Args:
        storage: the store.
        on_failure: told when the store cannot be used.
        now: a clock that only goes forward.
    """

    def __init__(
        self, storage: RedisStorage, on_failure: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._strategy = MovingWindowRateLimiter(storage)
        self._outages = _Outages(on_failure, now)

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
