"""Bulkheads: calls at once are bounded for each tenant and each platform, so that nobody's flood drowns the others."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

_RETRY_AFTER = 1.0

Waited = Callable[[str, float], None]
"""Told of a wait for a slot: whose it was, `tenant` or `upstream`, and how many seconds it took."""


class Full(Exception):
    """No slot was free in time; `which` says whose are taken: `tenant`, `upstream` or `requests`."""

    def __init__(self, which: str, retry_after: float = _RETRY_AFTER) -> None:
        super().__init__(which)
        self.which = which
        self.retry_after = retry_after


@dataclass(slots=True)
class _Waiting:
    bulk: bool
    future: "asyncio.Future[None]"


class Bulkhead:
    """Slots that calls take, and a short queue for those that find none free.

    The queue is served in turns by owner, and in order within each. Bulk calls may take some of the slots only, so that
    others always find one that bulk calls do not hold; nor do they take others' places in the queue.
    `queue` bulk calls may wait at once, and as many others, each for `wait` seconds.
    """

    def __init__(self, which: str, *, queue: int, wait: float) -> None:
        self._which = which
        self._queue = queue
        self._wait = wait
        self._limit = 1
        self._bulk_limit = 1
        self._taken = 0
        self._bulk_taken = 0
        self._waiting: OrderedDict[str, deque[_Waiting]] = OrderedDict()
        self._queued = {False: 0, True: 0}

    @property
    def limit(self) -> int:
        """How many slots there are."""
        return self._limit

    @property
    def in_use(self) -> int:
        """How many slots are held."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many calls wait for one."""
        return sum(self._queued.values())

    @property
    def idle(self) -> bool:
        """Whether nobody holds a slot or waits for one."""
        return self._taken == 0 and not self._waiting

    def resize(self, limit: int, bulk_limit: int) -> None:
        """Set how many slots there are, and how many of them bulk calls may take; those held stay held."""
        if (limit, bulk_limit) != (self._limit, self._bulk_limit):
            self._limit, self._bulk_limit = limit, bulk_limit
            self._serve()

    async def acquire(
        self, owner: str, *, bulk: bool, until: float, waited: Waited = lambda _which, _seconds: None
    ) -> None:
        """Take a slot, waiting until that time of the event loop's clock at most; `waited` is told of the wait.

        Raises:
            Full: none came free in time.
        """
        if self.take_free(bulk=bulk):
            return
        loop = asyncio.get_running_loop()
        if self._queued[bulk] >= self._queue:
            raise Full(self._which)
        began, waiting = loop.time(), _Waiting(bulk, loop.create_future())
        self._waiting.setdefault(owner, deque()).append(waiting)
        self._queued[bulk] += 1
        try:
            async with asyncio.timeout_at(min(until, loop.time() + self._wait)):
                await waiting.future
        except BaseException as error:
            self._leave(owner, waiting)
            if isinstance(error, TimeoutError):
                raise Full(self._which) from None
            raise
        finally:
            waited(self._which, loop.time() - began)

    def take_free(self, *, bulk: bool) -> bool:
        """Take a slot if one is free for which nobody waits; tell whether it was."""
        if not self._free(bulk=bulk) or (self._waiting and self._waits(bulk=bulk)):
            return False
        self._take(bulk=bulk)
        return True

    def release(self, *, bulk: bool) -> None:
        """Give a slot back."""
        self._taken -= 1
        self._bulk_taken -= bulk
        if self._waiting:
            self._serve()

    def _free(self, *, bulk: bool) -> bool:
        return self._taken < self._limit and not (bulk and self._bulk_taken >= self._bulk_limit)

    def _waits(self, *, bulk: bool) -> bool:
        """Tell whether somebody who could take the same slot waits already."""
        return self._queued[False] > 0 or (bulk and self._queued[True] > 0)

    def _take(self, *, bulk: bool) -> None:
        self._taken += 1
        self._bulk_taken += bulk

    def _leave(self, owner: str, waiting: _Waiting) -> None:
        """Stop waiting; a slot that has just been given is given on."""
        if waiting.future.done() and not waiting.future.cancelled():
            self.release(bulk=waiting.bulk)
            return
        queue = self._waiting[owner]
        queue.remove(waiting)
        self._queued[waiting.bulk] -= 1
        if not queue:
            del self._waiting[owner]
        # Whoever came after this one was cancelled, but before it left, found a slot that was not for the taking.
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._taken < self._limit and (found := self._next()) is not None:
            self._take(bulk=found.bulk)
            found.future.set_result(None)

    def _next(self) -> _Waiting | None:
        """Take the next one out of the queue who can be served, and put its owner behind the others."""
        for owner, queue in self._waiting.items():
            found = next((each for each in queue if not each.future.done() and self._free(bulk=each.bulk)), None)
            if found is not None:
                queue.remove(found)
                self._queued[found.bulk] -= 1
                self._waiting.move_to_end(owner)
                if not queue:
                    del self._waiting[owner]
                return found
        return None


Key = tuple[str, str]
"""Whose bulkhead: `tenant` or `upstream`, and its name."""


class Bulkheads:
    """A bulkhead for each tenant and one for each platform; bulk calls may take `export_share` of the slots."""

    def __init__(self, *, upstream_limit: int, export_share: float, queue: int, wait: float) -> None:
        self._upstream_limit = upstream_limit
        self._export_share = export_share
        self._queue = queue
        self._wait = wait
        self._bulkheads: dict[Key, Bulkhead] = {}

    def standing(self, which: str) -> tuple[int, int]:
        """Return how many slots are held and how many calls wait, of all tenants, or of all platforms (`upstream`)."""
        found = [bulkhead for key, bulkhead in self._bulkheads.items() if key[0] == which]
        return sum(each.in_use for each in found), sum(each.waiting for each in found)

    def slots(
        self,
        *,
        upstream: str,
        tenant: str,
        tenant_limit: int,
        bulk: bool,
        deadline: float,
        waited: Waited = lambda _which, _seconds: None,
        spare: bool = False,
    ) -> "Slots":
        """Return a slot of the tenant and one of the platform, to be taken and given back.

        The tenant's comes first: who waits for that holds nothing that others need. `waited` is told of each wait.
        Spare ones are taken only where another stays free, or where there is no other, and are never waited for.
        """
        keys = ("tenant", tenant), ("upstream", upstream)
        return Slots(self, keys[0], tenant_limit, keys[1], self._upstream_limit, bulk, deadline, waited, spare)

    def at(self, key: Key, limit: int) -> Bulkhead:
        """Return the bulkhead of a tenant or a platform, with so many slots."""
        bulkhead = self._bulkheads.get(key)
        if bulkhead is None:
            bulkhead = self._bulkheads[key] = Bulkhead(key[0], queue=self._queue, wait=self._wait)
        if bulkhead.limit != limit:
            bulkhead.resize(limit, max(1, int(limit * self._export_share)))
        return bulkhead

    def forget(self, key: Key, bulkhead: Bulkhead) -> None:
        """Give the memory of a bulkhead back that nobody needs."""
        if bulkhead.idle and self._bulkheads.get(key) is bulkhead:
            del self._bulkheads[key]


@dataclass(slots=True)
class Slots:
    """A slot of a tenant and one of a platform; `Bulkheads.slots` makes them."""

    # No generator, and no coroutine where there is nothing to wait for: every call of a platform passes here.
    bulkheads: "Bulkheads"
    tenant: Key
    tenant_limit: int
    upstream: Key
    upstream_limit: int
    bulk: bool
    deadline: float
    waited: Waited
    spare: bool
    held: tuple[Bulkhead, ...] = ()

    async def take(self) -> None:
        """Take both.

        Raises:
            Full: one of them was not to be had in time; nothing is held then.
        """
        tenant = self.bulkheads.at(self.tenant, self.tenant_limit)
        if not self._take_free(tenant):
            await self._wait(self.tenant, tenant)
        try:
            upstream = self.bulkheads.at(self.upstream, self.upstream_limit)
            if not self._take_free(upstream):
                await self._wait(self.upstream, upstream)
        except BaseException:
            self._release(self.tenant, tenant)
            raise
        self.held = tenant, upstream

    def give_back(self) -> None:
        tenant, upstream = self.held
        self._release(self.upstream, upstream)
        self._release(self.tenant, tenant)

    def _take_free(self, bulkhead: Bulkhead) -> bool:
        leaves_none = self.spare and bulkhead.in_use and bulkhead.in_use + 1 >= bulkhead.limit
        return not leaves_none and bulkhead.take_free(bulk=self.bulk)

    async def _wait(self, key: Key, bulkhead: Bulkhead) -> None:
        _, owner = self.tenant
        if self.spare:
            self.bulkheads.forget(key, bulkhead)
            raise Full(key[0])
        try:
            await bulkhead.acquire(owner, bulk=self.bulk, until=self.deadline, waited=self.waited)
        except BaseException:
            self.bulkheads.forget(key, bulkhead)
            raise

    def _release(self, key: Key, bulkhead: Bulkhead) -> None:
        bulkhead.release(bulk=self.bulk)
        self.bulkheads.forget(key, bulkhead)
