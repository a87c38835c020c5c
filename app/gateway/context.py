"""Who calls, and what became of the call: passed along explicitly, from the edge to the transport."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from app.gateway.writes import Write
from app.policies.rate_limits import QuotaStatus
from app.tenants.models import Scope, Tenant


@dataclass(slots=True)
class UpstreamCall:
    """One exchange with the platform, for logs and metrics.

    Args:
        outcome: `ok`, or the error code the call ended in.
    """

    operation: str
    outcome: str
    status: int | None
    seconds: float
    attempt: int = 1


class CallTrace(Protocol):
    """One exchange with the platform, as part of a request's trace."""

    @property
    def traceparent(self) -> str:
        """The W3C trace context that the platform is sent."""

    def sent(self, method: str, url: str) -> None:
        """Called with what is sent, and where to; of the URL nothing beyond its path is kept."""

    def ended(self, call: UpstreamCall) -> None:
        """Called once the exchange has ended, well or badly."""


class RequestTrace(Protocol):
    """The trace of a request; requests that are not traced have none."""

    def noted(self, event: str, **attributes: str | float) -> None:
        """Called when something was decided."""

    def spent(self, name: str, seconds: float, **attributes: str | float) -> None:
        """Called when so much time has just been spent on something."""

    def calling(self, operation: str, attempt: int) -> CallTrace:
        """Called when an exchange with the platform begins."""

    def finished(self, context: "RequestContext", method: str, route: str, status: int, aborted: str | None) -> None:
        """Called when the request is over.

        Args:
            route: the path's template, or `unmatched`.
            status: what it was answered with; 0 if it was not.
        """


@dataclass(slots=True)
class RequestContext:
    """One request on its way through the gateway.

    Args:
        upstream_calls: filled in as the gateway calls the platform.
        deadline: when the time that the client gives (`Request-Timeout`) is over, on the event loop's clock.
        root_path: what clients see in front of the path, and a proxy has taken off.
        refusal: why it was refused, for the log alone.
        audit_targets: what it concerns, beside what its path says.
        cache_outcome: where the answer of a read came from, if it could have been kept.
        scopes: those that it has been found to need.
        tool: the agents' tool that it is part of, if any.
        background: whether nobody waits for it: it is tried once, and takes no slot that somebody may need.
        quotas: how the limits that it counts against stand.
    """

    request_id: str
    traceparent: str
    upstream_calls: list[UpstreamCall] = field(default_factory=list)
    caller: "Caller | None" = None
    deadline: float | None = None
    write: Write | None = None
    idempotency_key: str | None = None
    client_address: str | None = None
    root_path: str = ""
    is_operator: bool = False
    problem_code: str | None = None
    refusal: str | None = None
    audit_targets: dict[str, str] | None = None
    cache_outcome: str | None = None
    trace: RequestTrace | None = None
    scopes: frozenset[str] = frozenset()
    tool: str | None = None
    background: bool = False
    quotas: tuple[QuotaStatus, ...] = ()

    async def before_sending(self) -> None:
        """Remember that a change is about to leave; to be awaited before any does.

        Raises:
            GatewayError: it cannot be remembered, or must not leave.
        """
        if self.write is not None:
            await self.write.begin()


class Credentials(Protocol):
    """What callers have shown, for answers that go on and on."""

    async def still_good(self, presented: str, caller: "Caller", scope: Scope) -> bool:
        """Tell whether a key that was presented still lets the same caller do this from the same address.

        Raises:
            app.errors.StateUnavailable: that cannot be told now.
        """


class Caller(NamedTuple):
    """An authenticated caller: the tenant, and what the key it used may do.

    Args:
        requests_per_minute: the key's own limit, beside the tenant's; None for none.
        subject: the person the key stands for; the key itself where it names none.
    """

    tenant: Tenant
    key_id: str
    scopes: frozenset[Scope]
    context: RequestContext
    requests_per_minute: int | None = None
    subject: str | None = None

    @property
    def person(self) -> str:
        """Who acts, as two-person rules count: keys of one subject are one person."""
        return self.subject if self.subject is not None else self.key_id
