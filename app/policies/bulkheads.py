"""The bulkheads of tenants and platforms, and the slots that a call takes of both."""

from app.policies.bulkhead import Bulkhead, Full, Waited

Key = tuple[str, str]
"""Whose bulkhead: `tenant` or `upstream`, and its name."""


class Bulkheads:
    """A bulkhead for each tenant and one for each platform.

    Args:
        upstream_limit: calls of one platform at once.
        export_share: the share of slots that bulk calls may take, of a platform's and of a tenant's.
        queue: calls that may wait for each, as many of them bulk calls and as many others.
        wait: seconds a call may wait.
    """

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
        spare: bool = False,
        deadline: float,
        waited: Waited = lambda _which, _seconds: None,
    ) -> "Slots":
        """Return a slot of the tenant and one of the platform, to be taken and given back.

        The tenant's comes first: who waits for that holds nothing that others need. `waited` is told of each wait. A
        `spare` slot is taken only where another one stays free, or where there is no other, and never waited for.
        """
        return Slots(self, tenant, tenant_limit, upstream, self._upstream_limit, bulk, spare, deadline, waited)

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


class Slots:
    """A slot of a tenant and one of a platform; `Bulkheads.slot` makes them."""

    # No generator, and no coroutine where there is nothing to wait for: every call of a platform passes here.

    def __init__(
        self,
        bulkheads: Bulkheads,
        tenant: str,
        tenant_limit: int,
        upstream: str,
        upstream_limit: int,
        bulk: bool,
        spare: bool,
        deadline: float,
        waited: Waited,
    ) -> None:
        self._bulkheads = bulkheads
        self._tenant = "tenant", tenant
        self._tenant_limit = tenant_limit
        self._upstream = "upstream", upstream
        self._upstream_limit = upstream_limit
        self._bulk = bulk
        self._spare = spare
        self._deadline = deadline
        self._waited = waited
        self._held: tuple[Bulkhead, Bulkhead]

    async def take(self) -> None:
        """Take both.

        Raises:
            Full: one of them was not to be had in time; nothing is held then.
        """
        tenant = self._bulkheads.at(self._tenant, self._tenant_limit)
        if not self._take_free(tenant):
            await self._wait(self._tenant, tenant)
        try:
            upstream = self._bulkheads.at(self._upstream, self._upstream_limit)
            if not self._take_free(upstream):
                await self._wait(self._upstream, upstream)
        except BaseException:
            self._release(self._tenant, tenant)
            raise
        self._held = tenant, upstream

    def give_back(self) -> None:
        """Give both back."""
        tenant, upstream = self._held
        self._release(self._upstream, upstream)
        self._release(self._tenant, tenant)

    def _take_free(self, bulkhead: Bulkhead) -> bool:
        leaves_none = self._spare and bulkhead.in_use and bulkhead.in_use + 1 >= bulkhead.limit
        return not leaves_none and bulkhead.take_free(bulk=self._bulk)

    async def _wait(self, key: Key, bulkhead: Bulkhead) -> None:
        _, owner = self._tenant
        if self._spare:
            self._bulkheads.forget(key, bulkhead)
            raise Full(key[0])
        try:
            await bulkhead.acquire(owner, bulk=self._bulk, until=self._deadline, waited=self._waited)
        except BaseException:
            self._bulkheads.forget(key, bulkhead)
            raise

    def _release(self, key: Key, bulkhead: Bulkhead) -> None:
        bulkhead.release(bulk=self._bulk)
        self._bulkheads.forget(key, bulkhead)
