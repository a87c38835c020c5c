"""What limits are made of, and how they are written in headers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Quota:
    """How often something may be done: `amount` times in `seconds`; `name` goes into headers."""

    name: str
    amount: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a quota is left, and in how many seconds there is more."""

    quota: Quota
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it may be done, how each quota stands, and after how many seconds it is worth asking again."""

    allowed: bool
    standings: tuple[Standing, ...] = ()
    retry_after: float = 0.0


UNLIMITED = Decision(allowed=True)
"""What is decided while nobody can count: a lost store must not stop the service."""


class RateLimiter(Protocol):
    """Counts requests."""

    async def hit(self, quotas: Sequence[tuple[str, Quota]]) -> Decision:
        """Count one request against each quota of a subject, the last one first; the first that is used up refuses."""


def ratelimit_headers(standings: Sequence[Standing]) -> dict[str, str]:
    """Write how quotas stand (IETF draft httpapi-ratelimit-headers): the policy, and what is left of it."""
    if not standings:
        return {}
    policies = [f'"{each.quota.name}";q={each.quota.amount};w={each.quota.seconds}' for each in standings]
    left = [f'"{each.quota.name}";r={each.remaining};t={ceil(each.reset)}' for each in standings]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
