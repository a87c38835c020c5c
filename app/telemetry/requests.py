"""What is told of each request as a whole, when it begins and when it has been answered."""

from typing import Protocol

from app.gateway.context import RequestContext
from app.telemetry.metrics import Metrics


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

    def begin(self, context: RequestContext, method: str, traceparent: str | None) -> None:
        """Note that a request has come, with this trace context if it has any."""
        if self._tracer is not None:
            self._tracer.begin(context, method, traceparent)

    def finish(
        self, context: RequestContext, method: str, route: str, status: int, aborted: str | None, seconds: float
    ) -> None:
        """Note that a request is over.

        Args:
            context: the request.
            method: its method.
            route: the path's template, or `unmatched`.
            status: what it was answered with; 0 if it was not.
            aborted: why the answer broke off, if it did.
            seconds: how long it took.
        """
        caller = context.caller
        self._metrics.request_finished(method, route, status, seconds, caller.tenant.id if caller else None)
        if aborted:
            self._metrics.response_aborted(route, aborted)
        if context.trace is not None:
            context.trace.finished(context, method, route, status, aborted)
