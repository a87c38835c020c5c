"""What is told of each request as a whole, when it begins and when it has been answered."""

from typing import NamedTuple, Protocol

from app.gateway.context import RequestContext
from app.telemetry.metrics import Metrics


class Finished(NamedTuple):
    """A request that is over.

    Args:
        method: its method.
        route: the path's template, or `unmatched`.
        status: what it was answered with; 0 if it was not.
        aborted: why the answer broke off, if it did.
        seconds: how long it took.
    """

    method: str
    route: str
    status: int
    aborted: str | None
    seconds: float


class Tracer(Protocol):
    """Decides which requests are traced."""

    def begin(self, context: RequestContext, method: str, given: str | None) -> None:
        """Give a request its trace, if it gets one.

        Args:
            context: the request.
            method: its method.
            given: the trace context that it came with, if any.
        """


class RequestTelemetry:
    """Counts requests, and has them traced where tracing is on.

    Args:
        metrics: where they are counted.
        tracer: traces them; None where nothing is traced.
    """

    def __init__(self, metrics: Metrics, tracer: Tracer | None = None) -> None:
        self._metrics = metrics
        self._tracer = tracer

    def begin(self, context: RequestContext, method: str, traceparent: bytes | None) -> None:
        """Note that a request has come, with this trace context if it has any."""
        if self._tracer is not None:
            self._tracer.begin(context, method, traceparent.decode("latin-1") if traceparent else None)

    def finish(self, context: RequestContext, over: Finished) -> None:
        """Note that a request is over."""
        caller = context.caller
        tenant = caller.tenant.id if caller else None
        self._metrics.request_finished(over.method, over.route, over.status, over.seconds, tenant)
        if over.aborted:
            self._metrics.response_aborted(over.route, over.aborted)
        if context.trace is not None:
            context.trace.finished(context, over.method, over.route, over.status, over.aborted)
