"""The platform's quota of campaigns (manual 6.2): so many calls an hour, whoever makes them."""

import time
from collections import deque
from collections.abc import Callable

from app.policies.limits.model import UNLIMITED, CountingWindow, Decision, Quota

_HOUR = 3600


class CampaignQuota:
    """Counts campaigns a tenant creates.

    A campaign that never left has used up nothing of the platform's quota. A window cannot be taken back, so it is
    kept for the tenant's next campaign, for as long as the window would remember it.
    """

    def __init__(self, window: CountingWindow, now: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._now = now
        self._unused: dict[str, deque[float]] = {}

    async def take(self, tenant: str, limit: int) -> Decision:
        """Count one campaign, if the hour has room for it."""
        if self._reuse(tenant):
            return UNLIMITED
        return await self._window.hit(tenant, Quota("campaigns", limit, _HOUR))

    def give_back(self, tenant: str) -> None:
        """Note that a campaign that was counted never left."""
        self._unused.setdefault(tenant, deque()).append(self._now() + _HOUR)

    def _reuse(self, tenant: str) -> bool:
        unused = self._unused.get(tenant)
        if unused is None:
            return False
        while unused and unused[0] <= self._now():
            unused.popleft()
        if not unused:
            del self._unused[tenant]
            return False
        unused.popleft()
        return True
