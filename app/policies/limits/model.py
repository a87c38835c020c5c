"""What limits are made of."""

from collections.abc import Sequence
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
