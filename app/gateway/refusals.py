"""What a closed gate means to the caller: nothing was sent, and when it is worth coming back."""

from math import ceil

from app.errors import (
    GatewayError,
    Overloaded,
    RateLimited,
    UpstreamAnswer,
    UpstreamCredentialsRejected,
    UpstreamQuotaExhausted,
    UpstreamUnavailable,
)
from app.gateway.failures import Called
from app.texts import sentence

PLATFORM_CAMPAIGNS_PER_HOUR = 100
"""Manual, section 6.2."""


def breaker_open(operation: Called, retry_after: float) -> GatewayError:
    """Return the error for a call that is not made because the platform has been failing."""
    return UpstreamUnavailable(
        "The platform has failed repeatedly and is being left alone for a while. Nothing was sent.",
        upstream=UpstreamAnswer(operation.name, message="not asked"),
        headers=retry_in(retry_after),
    )


def login_paused(operation: Called, retry_after: float) -> GatewayError:
    """Return the error for a call that is not made because the platform keeps refusing the tenant's login."""
    return UpstreamCredentialsRejected(
        "The platform has refused the tenant's U-Mail login repeatedly and is not asked for a while.",
        upstream=UpstreamAnswer(operation.name, message="not asked"),
        headers=retry_in(retry_after),
    )


def retry_in(seconds: float) -> dict[str, str]:
    """Return the header that tells when to come back, in whole seconds, rounded up."""
    return {"Retry-After": str(max(1, ceil(seconds)))}


def no_slot(which: str, retry_after: float) -> GatewayError:
    """Return the error for a call that found no slot in time: the tenant's own, or the platform's."""
    if which == "tenant":
        return RateLimited(
            "This tenant has as many calls to the platform under way as it may. Nothing was sent.",
            headers=retry_in(retry_after),
        )
    return Overloaded(
        "As many calls to the platform are under way as the gateway makes at once. Nothing was sent.",
        headers=retry_in(retry_after),
    )


def campaigns_spent(limit: int, retry_after: float) -> GatewayError:
    """Return the error for a campaign that the hour's quota has no place for."""
    if limit < PLATFORM_CAMPAIGNS_PER_HOUR:
        return RateLimited(
            sentence("This tenant may create {limit} campaigns an hour. Nothing was sent.", limit=limit),
            headers=retry_in(retry_after),
        )
    return UpstreamQuotaExhausted(
        "The platform takes 100 new campaigns an hour, and this hour's are used up. Nothing was sent.",
        headers=retry_in(retry_after),
    )
