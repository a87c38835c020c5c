"""Failure classification: the error for the caller, whether to repeat the call, what it says about the platform."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any

from app.errors import (
    GatewayError,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
    UpstreamAnswer,
    UpstreamCredentialsRejected,
    UpstreamError,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamQuotaExhausted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from app.gateway.operation import Effect, Export, Operation
from app.policies.breaker import CallHealth
from app.policies.retry import parse_retry_after
from app.texts import sentence
from app.upstream.wire import NeverSent, TransportFailure

_RETRY_LATER = "60"
_REPEATABLE = frozenset({Effect.READ, Effect.IDEMPOTENT_WRITE})
_TRANSIENT = frozenset({502, 503, 504})
_UNDECIDED = frozenset({408})
"""Statuses that leave open whether a write was carried out; so do all of 1xx, 3xx (a page may redirect once it has
acted) and 5xx. The other 4xx come from what stands in front of the platform's scripts."""

Called = Operation[Any, Any] | Export[Any]


def transport_error(operation: Called, failure: TransportFailure) -> GatewayError:
    """Return the error for a call that failed below HTTP."""
    answer = UpstreamAnswer(operation.name, message=failure.reason)
    if isinstance(failure, NeverSent):
        return UpstreamUnavailable(
            sentence(
                "The platform could not be reached: {reason}. Nothing was sent; trying again is safe.",
                reason=failure.reason,
            ),
            upstream=answer,
            headers={"Retry-After": "5"},
            transient=True,
        )
    if operation.effect is not Effect.READ:
        return _outcome_unknown(operation, answer, transient=True)
    if failure.timed_out:
        return UpstreamTimeout("The platform did not answer in time.", upstream=answer, transient=True)
    return UpstreamError(
        sentence("The platform did not answer: {reason}.", reason=failure.reason), upstream=answer, transient=True
    )


def check_status(operation: Called, status: int, headers: Mapping[str, str]) -> None:
    """Check a reply's HTTP status; raises `GatewayError` where it is not one of success."""
    if 200 <= status < 300:
        return
    answer = UpstreamAnswer(operation.name, status=str(status))
    if status == 401:
        raise UpstreamCredentialsRejected("The platform refused the tenant's U-Mail login.", upstream=answer)
    wait = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    told = {} if wait is None else {"Retry-After": str(ceil(wait))}
    if status == 429:
        raise UpstreamQuotaExhausted(
            "The platform asks for fewer calls.",
            upstream=answer,
            headers=told or {"Retry-After": _RETRY_LATER},
            transient=True,
            asked_to_wait=wait,
        )
    transient = status in _TRANSIENT
    if operation.effect is not Effect.READ and (status < 400 or status in _UNDECIDED or status >= 500):
        raise _outcome_unknown(operation, answer, transient=transient, wait=wait)
    raise UpstreamError(
        sentence("The platform answered HTTP {status}.", status=status),
        upstream=answer,
        headers=told,
        transient=transient,
        asked_to_wait=wait,
    )


def unusable(operation: Called, reason: str) -> GatewayError:
    """Return the error for a reply that is not what was promised."""
    answer = UpstreamAnswer(operation.name, message=reason)
    if operation.effect is not Effect.READ:
        return _outcome_unknown(operation, answer)
    return UpstreamMalformed(sentence("The platform's reply cannot be used: {reason}.", reason=reason), upstream=answer)


def created_without_id(operation: Called) -> GatewayError:
    """Return the error for a creation that the platform confirms without saying what it created."""
    return UpstreamMalformed(
        sentence(
            "The platform reports success but not the id of what it created; do not repeat it. {find_out}",
            find_out=operation.find_out,
        ),
        upstream=UpstreamAnswer(operation.name, message="success without an id"),
    )


def _outcome_unknown(
    operation: Called, answer: UpstreamAnswer, *, transient: bool = False, wait: float | None = None
) -> GatewayError:
    return OutcomeUnknown(
        sentence(
            "The request was sent, but whether the platform carried it out is not known. {find_out}",
            find_out=operation.find_out,
        ),
        upstream=answer,
        transient=transient,
        asked_to_wait=wait,
    )


def is_repeatable(operation: Called) -> bool:
    """Tell whether doing an operation twice leaves what doing it once leaves."""
    return operation.effect in _REPEATABLE


def may_repeat(operation: Called, error: Exception) -> bool:
    """Tell whether a call that ended in an error may be tried again.

    What certainly never left the gateway may always be repeated; beyond that only what does no harm twice.
    """
    if not isinstance(error, UpstreamFailure) or not error.transient:
        return False
    return isinstance(error, UpstreamUnavailable) or operation.effect in _REPEATABLE


def wait_hint(error: Exception) -> float | None:
    """Return for how many seconds the platform asked to be left alone, if it did."""
    return error.asked_to_wait if isinstance(error, UpstreamFailure) else None


def health_after(error: BaseException | None, *, status: int | None, hurried: bool) -> CallHealth:
    """Return what a call says about the platform's health.

    A refusal of one request (HTTP 4xx) comes from a platform that works. A `hurried` caller gave the call less time
    than its kind gets: running out of that says nothing, or one impatient caller could close the platform to others.
    """
    if error is None:
        return CallHealth.GOOD
    if not isinstance(error, GatewayError):
        return CallHealth.UNKNOWN
    if hurried and isinstance(error, UpstreamTimeout | OutcomeUnknown | UpstreamUnavailable):
        return CallHealth.UNKNOWN
    if status is not None and 400 <= status < 500:
        return CallHealth.GOOD
    if isinstance(error, UpstreamUnavailable | UpstreamTimeout | UpstreamError | UpstreamMalformed | OutcomeUnknown):
        return CallHealth.BAD
    return CallHealth.GOOD


def excused_by_stale(error: Exception) -> bool:
    """Tell whether an older answer may stand in for a failed read (RFC 5861, section 4).

    A refused login or a spent limit is an answer about the caller; only trouble is excused.
    """
    return isinstance(error, UpstreamUnavailable | UpstreamTimeout | UpstreamError | UpstreamMalformed | Overloaded)


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
