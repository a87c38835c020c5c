"""What is recorded of each request as a whole: metrics, its trace, and one log line."""

from typing import Any, NamedTuple, Protocol

import structlog

from app.gateway.context import RequestContext, UpstreamCall
from app.telemetry.metrics import Metrics

_PATH_LENGTH = 200


class Finished(NamedTuple):
    """A request that is over."""

    method: str
    route: str
    status: int
    aborted: str | None
    seconds: float
    path: str = ""


class Tracer(Protocol):
    """Decides which requests are traced."""

    def begin(self, context: RequestContext, method: str, given: str | None) -> None:
        """Give a request its trace, if it gets one."""


class RequestTelemetry:
    """Counts requests, and has them traced where tracing is on."""

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


class AccessLog:
    """Writes one line for each request, in OpenTelemetry's names where it has some."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("app.access")

    def write(self, context: RequestContext, over: Finished) -> None:
        """Write down one request; e-mail addresses in its path are left out."""
        caller = context.caller
        self._log.info(
            "request",
            **{
                "request_id": context.request_id,
                "traceparent": context.traceparent,
                "http.request.method": over.method,
                "http.route": over.route,
                "url.path": shown_path(over.path),
                "http.response.status_code": over.status,
                "client.address": context.client_address,
                "error.type": context.problem_code,
                "reason": context.refusal,
                "aborted": over.aborted,
                "duration_ms": round(over.seconds * 1000, 2),
                "tenant": caller.tenant.id if caller else None,
                "key": caller.key_id if caller else None,
                **({"tool": context.tool} if context.tool else {}),
                "upstream": [_written(call) for call in context.upstream_calls],
            },
        )


def shown_path(path: str) -> str:
    """Return a path as it may be logged: bounded, visible, and without e-mail addresses."""
    steps = ("***" if "@" in step or "%40" in step else step for step in path.split("/"))
    shown = "/".join(steps)[:_PATH_LENGTH]
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in shown)


def _written(call: UpstreamCall) -> dict[str, Any]:
    return {
        "operation": call.operation,
        "outcome": call.outcome,
        "status": call.status,
        "duration_ms": round(call.seconds * 1000, 2),
        "attempt": call.attempt,
    }
