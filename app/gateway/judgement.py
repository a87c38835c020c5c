"""What a failure says beyond its error: whether to try again, how the platform is, what may stand in for the answer."""

from app.errors import (
    GatewayError,
    OutcomeUnknown,
    Overloaded,
    UpstreamError,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from app.gateway.failures import Called
from app.gateway.operation import Effect
from app.policies.breaker import Verdict

_REPEATABLE = frozenset({Effect.READ, Effect.IDEMPOTENT_WRITE})


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


def verdict(error: BaseException | None, *, hurried: bool) -> Verdict:
    """Return what a call tells of the platform's health.

    Args:
        error: what it ended in; None for success.
        hurried: whether the caller gave it less time than calls of its kind get. Running out of that says nothing:
            else one impatient caller could close the platform to all others.
    """
    if error is None:
        return Verdict.SUCCESS
    if not isinstance(error, GatewayError):
        return Verdict.NONE
    if hurried and isinstance(error, UpstreamTimeout | OutcomeUnknown | UpstreamUnavailable):
        return Verdict.NONE
    if isinstance(error, UpstreamUnavailable | UpstreamTimeout | UpstreamError | UpstreamMalformed | OutcomeUnknown):
        return Verdict.FAILURE
    return Verdict.SUCCESS


def excused_by_stale(error: Exception) -> bool:
    """Tell whether an older answer may stand in for a failed read (RFC 5861, section 4).

    A refused login or a spent limit is an answer about the caller; only trouble is excused.
    """
    return isinstance(error, UpstreamUnavailable | UpstreamTimeout | UpstreamError | UpstreamMalformed | Overloaded)
