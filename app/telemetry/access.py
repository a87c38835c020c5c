"""The access log: one line and one measurement for every request."""

from typing import Any

import structlog
from starlette.types import Scope

from app.gateway.context import RequestContext, UpstreamCall
from app.telemetry.metrics import Metrics


class AccessLog:
    """Writes down what became of requests.

    Args:
        metrics: counts them.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Bound once: finding out for every line how lines are written costs as much as writing one.
        self._log = structlog.get_logger("app.access").bind()

    def finished(self, scope: Scope, context: RequestContext, status: int, aborted: str | None, seconds: float) -> None:
        """Write down one request.

        Args:
            scope: its ASGI scope, with the route if there was one.
            context: its context.
            status: of its answer; 0 if there was none.
            aborted: why its answer broke off, if it did.
            seconds: how long it took.
        """
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request_finished(scope["method"], route, status, seconds)
        if aborted:
            self._metrics.response_aborted(route, aborted)
        caller = context.caller
        self._log.info(
            "request",
            request_id=context.request_id,
            traceparent=context.traceparent,
            method=scope["method"],
            route=route,
            status=status,
            aborted=aborted,
            duration_ms=round(seconds * 1000, 2),
            tenant=caller.tenant.id if caller else None,
            key=caller.key_id if caller else None,
            upstream=[_written(call) for call in context.upstream_calls],
        )


def _written(call: UpstreamCall) -> dict[str, Any]:
    return {
        "operation": call.operation,
        "outcome": call.outcome,
        "status": call.status,
        "duration_ms": round(call.seconds * 1000, 2),
        "attempt": call.attempt,
    }
