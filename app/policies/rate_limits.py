"""What limits are made of."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

MICROSECOND = 1_000_000


class Quota(NamedTuple):
    """How often something may be done: `amount` times in `seconds`; `name` goes into headers."""

    name: str
    amount: int
    seconds: int

    @property
    def period(self) -> int:
        """The microseconds in which one unit grows back."""
        return max(1, self.seconds * MICROSECOND // self.amount)


class QuotaStatus(NamedTuple):
    """How much of a quota is left, and in how many seconds all of it is there again."""

    quota: Quota
    remaining: int
    reset: float


class Decision(NamedTuple):
    """Whether it may be done, how each quota stands, and after how many seconds it is worth asking again."""

    allowed: bool
    statuses: tuple[QuotaStatus, ...] = ()
    retry_after: float = 0.0
    spent: Quota | None = None
    """The quota that refuses it."""


UNLIMITED = Decision(allowed=True)
"""What is decided while nobody can count: a lost store must not stop the service."""


class RateLimiter(Protocol):
    """Counts requests (generic cell rate algorithm: a whole quota at once, then one unit each time one grows back)."""

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request against each quota of a subject, or against none if one of them is used up."""


class CountingWindow(Protocol):
    """Counts exactly, for what is done rarely."""

    async def hit(self, subject: str, quota: Quota) -> Decision:
        """Count one time, if no more than the quota then falls into the last `quota.seconds`."""


def decide(quotas: Sequence[Quota], debts: Sequence[int]) -> Decision:
    """Return the decision on a request with which quotas need so many microseconds each to be whole again."""
    waits = [debt - quota.period * quota.amount for quota, debt in zip(quotas, debts, strict=True)]
    longest = max(waits, default=0)
    allowed = longest <= 0
    statuses = []
    for quota, debt in zip(quotas, debts, strict=True):
        counted = debt if allowed else debt - quota.period
        remaining = quota.amount - -(-counted // quota.period)
        statuses.append(QuotaStatus(quota, max(0, remaining), counted / MICROSECOND))
    if allowed:
        return Decision(True, tuple(statuses))
    return Decision(False, tuple(statuses), longest / MICROSECOND, quotas[waits.index(longest)])


def decide_window(quota: Quota, counted: int, reset: float, *, allowed: bool) -> Decision:
    """Return the decision of a window that holds so many, the first of which leaves it after `reset` seconds."""
    status = QuotaStatus(quota, max(0, quota.amount - counted), max(reset, 0.0))
    return Decision(True, (status,)) if allowed else Decision(False, (status,), status.reset, quota)


_MOST_SUBJECTS = 20_000


class MemoryRateLimiter:
    """A `RateLimiter` for one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_SUBJECTS) -> None:
        self._clock = clock
        self._most = most
        self._whole_at: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        now = int(self._clock() * MICROSECOND)
        names = [(quota.name, subject) for subject, quota in quotas]
        debts = [
            max(self._whole_at.get(name, now) - now, 0) + quota.period
            for name, (_, quota) in zip(names, quotas, strict=True)
        ]
        decision = decide([quota for _, quota in quotas], debts)
        if decision.allowed:
            for name, debt in zip(names, debts, strict=True):
                self._whole_at[name] = now + debt
                self._whole_at.move_to_end(name)
            while len(self._whole_at) > self._most:
                self._whole_at.popitem(last=False)
        return decision


class MemoryWindow:
    """A `Window` for one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST_SUBJECTS) -> None:
        self._clock = clock
        self._most = most
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    async def hit(self, subject: str, quota: Quota) -> Decision:
        now = self._clock()
        times = self._times.setdefault(subject, deque())
        self._times.move_to_end(subject)
        if len(self._times) > self._most:
            self._times.popitem(last=False)
        while times and times[0] <= now - quota.seconds:
            times.popleft()
        if allowed := len(times) < quota.amount:
            times.append(now)
        reset = times[0] + quota.seconds - now if times else float(quota.seconds)
        return decide_window(quota, len(times), reset, allowed=allowed)


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
