"""Limits of requests over HTTP: whose they are, how they are told, and what exceeding them looks like."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

from app.errors import Overloaded, RateLimited
from app.gateway.context import Caller
from app.gateway.failures import retry_in
from app.policies.bulkhead import Full
from app.policies.rate_limits import Quota, QuotaStatus, RateLimiter
from app.telemetry.observer import TelemetryObserver
from app.texts import sentence

_MINUTE = 60

Quotas = tuple[tuple[str, Quota], ...]


@lru_cache(maxsize=10_000)
def quotas_of(tenant_id: str, of_tenant: int, key_id: str, of_key: int | None) -> Quotas:
    """Return the quotas that a request counts against, by subject."""
    tenant = tenant_id, Quota("tenant", of_tenant, _MINUTE)
    if of_key is None:
        return (tenant,)
    return tenant, (f"{tenant_id}/{key_id}", Quota("key", of_key, _MINUTE))


def ratelimit_headers(statuses: Sequence[QuotaStatus]) -> tuple[tuple[bytes, bytes], ...]:
    """Write how quotas stand (IETF draft httpapi-ratelimit-headers): the policy, and what is left of it."""
    if not statuses:
        return ()
    left = ", ".join([f'"{each.quota.name}";r={each.remaining};t={ceil(each.reset)}' for each in statuses])
    return (
        (b"ratelimit-policy", _policy(tuple([each.quota for each in statuses]))),
        (b"ratelimit", left.encode()),
    )


@lru_cache(maxsize=10_000)
def _policy(quotas: tuple[Quota, ...]) -> bytes:
    return ", ".join(f'"{each.name}";q={each.amount};w={each.seconds}' for each in quotas).encode()


async def count_request(limiter: RateLimiter, caller: Caller, observer: TelemetryObserver) -> None:
    """Count one request against the limits of tenant and key; raises `RateLimited` if it exceeds one."""
    tenant = caller.tenant
    quotas = quotas_of(tenant.id, tenant.limits.requests_per_minute, caller.key_id, caller.requests_per_minute)
    decision = await limiter.hit(quotas)
    caller.context.quotas = decision.statuses
    if decision.spent is not None:
        observer.refused(caller.context, f"{decision.spent.name}_limit")
        raise limited(decision.spent, decision.retry_after)


def limited(spent: Quota, retry_after: float) -> RateLimited:
    """Return the error for a request that a quota has no place for, now and for so many seconds."""
    detail = sentence(
        "{whose} has used up its limit of {limit} requests a minute.",
        whose=sentence("This key" if spent.name == "key" else "This tenant"),
        limit=spent.amount,
    )
    return RateLimited(detail, headers=retry_in(retry_after))


def overloaded(full: Full) -> Overloaded | RateLimited:
    """Return the error for a request beyond those that the gateway takes on at once, in all or of one tenant."""
    if full.which == "tenant_requests":
        return RateLimited("This tenant has as many requests under way as it may.", headers=retry_in(full.retry_after))
    return Overloaded(
        "More requests are under way than the gateway takes on at once.", headers=retry_in(full.retry_after)
    )
