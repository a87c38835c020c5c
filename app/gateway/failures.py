"""What a failed call means, as an error for the caller; it depends on what the operation does to the platform."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any

from app.errors import (
    GatewayError,
    OutcomeUnknown,
    UpstreamAnswer,
    UpstreamCredentialsRejected,
    UpstreamError,
    UpstreamMalformed,
    UpstreamQuotaExhausted,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from app.gateway.operation import Effect, Export, Operation
from app.policies.retry import parse_retry_after
from app.upstream.wire import NeverSent, TransportFailure

_RETRY_LATER = "60"
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
            f"The platform could not be reached: {failure.reason}. Nothing was sent; trying again is safe.",
            upstream=answer,
            headers={"Retry-After": "5"},
            transient=True,
        )
    if operation.effect is not Effect.READ:
        return _outcome_unknown(operation, answer, transient=True)
    if failure.timed_out:
        return UpstreamTimeout("The platform did not answer in time.", upstream=answer, transient=True)
    return UpstreamError(f"The platform did not answer: {failure.reason}.", upstream=answer, transient=True)


def check_status(operation: Called, status: int, headers: Mapping[str, str]) -> None:
    """Check a reply's HTTP status.

    Raises:
        GatewayError: it is not one of success.
    """
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
        f"The platform answered HTTP {status}.", upstream=answer, headers=told, transient=transient, asked_to_wait=wait
    )


def unusable(operation: Called, reason: str) -> GatewayError:
    """Return the error for a reply that is not what was promised."""
    answer = UpstreamAnswer(operation.name, message=reason)
    if operation.effect is not Effect.READ:
        return _outcome_unknown(operation, answer)
    return UpstreamMalformed(f"The platform's reply cannot be used: {reason}.", upstream=answer)


def created_without_id(operation: Called) -> GatewayError:
    """Return the error for a creation that the platform confirms without saying what it created."""
    return UpstreamMalformed(
        f"The platform reports success but not the id of what it created; do not repeat it. {operation.find_out}",
        upstream=UpstreamAnswer(operation.name, message="success without an id"),
    )


def _outcome_unknown(
    operation: Called, answer: UpstreamAnswer, *, transient: bool = False, wait: float | None = None
) -> GatewayError:
    return OutcomeUnknown(
        f"The request was sent, but whether the platform carried it out is not known. {operation.find_out}",
        upstream=answer,
        transient=transient,
        asked_to_wait=wait,
    )
