"""The access log: one line for every request."""

from functools import cached_property
from typing import Any

import structlog

from app.gateway.context import RequestContext, UpstreamCall
from app.telemetry.logs import LineFactory
from app.telemetry.requests import Finished


class AccessLog:
    """Writes down what became of requests."""

    # Both are found out once, for the first line: to do so for every line costs as much as writing one.

    @cached_property
    def _log(self) -> Any:
        return structlog.get_logger("app.access").bind()

    @cached_property
    def _lines(self) -> LineFactory | None:
        factory = structlog.get_config()["logger_factory"]
        return factory if isinstance(factory, LineFactory) else None

    def write(self, context: RequestContext, over: Finished) -> None:
        """Write down one request."""
        caller = context.caller
        fields = {
            "request_id": context.request_id,
            "traceparent": context.traceparent,
            "method": over.method,
            "route": over.route,
            "status": over.status,
            "aborted": over.aborted,
            "duration_ms": round(over.seconds * 1000, 2),
            "tenant": caller.tenant.id if caller else None,
            "key": caller.key_id if caller else None,
            "upstream": [_written(call) for call in context.upstream_calls],
        }
        if self._lines is None or not self._lines.write_info("request", fields):
            self._log.info("request", **fields)


def _written(call: UpstreamCall) -> dict[str, Any]:
    return {
        "operation": call.operation,
        "outcome": call.outcome,
        "status": call.status,
        "duration_ms": round(call.seconds * 1000, 2),
        "attempt": call.attempt,
    }
