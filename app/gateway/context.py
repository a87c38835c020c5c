"""Who calls, and what became of the call: passed along explicitly, from the edge to the transport."""

from dataclasses import dataclass, field

from app.tenants.models import Scope, Tenant


@dataclass(slots=True)
class UpstreamCall:
    """One exchange with the platform, for logs and metrics.

    Args:
        operation: the operation's name.
        outcome: `ok`, or the error code the call ended in.
        status: the HTTP status the platform answered with, if it answered.
        seconds: how long it took.
    """

    operation: str
    outcome: str
    status: int | None
    seconds: float


@dataclass(slots=True)
class RequestContext:
    """One request on its way through the gateway.

    Args:
        request_id: taken from `X-Request-ID` or made; returned, logged and sent upstream.
        traceparent: the W3C trace context, the caller's or a new one; returned, logged, sent upstream.
        upstream_calls: filled in as the gateway calls the platform.
        caller: filled in once the API key is known.
    """

    request_id: str
    traceparent: str
    upstream_calls: list[UpstreamCall] = field(default_factory=list)
    caller: "Caller | None" = None


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: the tenant, and what the key it used may do."""

    tenant: Tenant
    key_id: str
    scopes: frozenset[Scope]
    context: RequestContext
