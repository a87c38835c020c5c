"""What is recorded of requests and of what the gateway observes: metrics, log lines, traces."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import structlog

from app.gateway.context import RequestContext, UpstreamCall
from app.policies.breaker import BreakerKey, CircuitState
from app.policies.cache.model import CacheOutcome
from app.telemetry.metrics import Metrics
from app.upstream.document import Drift

log = structlog.get_logger(__name__)

_REMEMBERED = 1000
_PATH_LENGTH = 200


class TelemetryObserver:
    """Counts everything that the gateway observes, and logs each kind of drift once per process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._seen: Counter[tuple[str, Drift]] = Counter()

    @property
    def seen(self) -> Mapping[tuple[str, Drift], int]:
        """How often which operation's replies deviated how, for at most a thousand deviations."""
        return self._seen

    def exchanged(self, call: UpstreamCall) -> None:
        self._metrics.upstream_finished(call.operation, call.outcome, call.seconds)
        if call.attempt > 1:
            self._metrics.retried(call.operation)

    def waited(self, context: RequestContext, which: str, seconds: float) -> None:
        self._metrics.waited(which, seconds)
        if context.trace is not None:
            context.trace.spent("wait for a slot", seconds, slot=which)

    def refused(self, context: RequestContext, reason: str) -> None:
        self._metrics.refused(reason)
        context.refusal = context.refusal or reason
        if context.trace is not None:
            context.trace.noted("refused", reason=reason)

    def retrying(self, context: RequestContext, operation: str, outcome: str, seconds: float) -> None:
        self._metrics.backed_off(operation, seconds)
        if context.trace is not None:
            context.trace.noted("retry", operation=operation, outcome=outcome, wait_seconds=seconds)

    def login_changed(self, tenant: str, *, paused: bool) -> None:
        if paused:
            log.warning("login_paused", tenant=tenant, consequence="the login is tried once after each LOGIN_PAUSE")
        else:
            log.warning("login_taken", tenant=tenant)

    def breaker_changed(self, key: BreakerKey, before: CircuitState, after: CircuitState) -> None:
        """Count a breaker's change and log it; tries in between are no news."""
        self._metrics.breaker_changed(after)
        level = logging.WARNING if key.tenant or after is CircuitState.CLOSED else logging.ERROR
        if CircuitState.HALF_OPEN in {before, after} and after is not CircuitState.CLOSED:
            level = logging.INFO
        event = f"breaker_{after}"
        log.log(level, event, platform=key.platform, tenant=key.tenant, before=before.value)

    def claimed(self, context: RequestContext, outcome: str) -> None:
        """Count what became of a request's idempotency key."""
        self._metrics.claimed(outcome)
        if context.trace is not None:
            context.trace.noted("idempotency key", outcome=outcome)

    def drifted(self, operation: str, drift: frozenset[Drift]) -> None:
        """Count deviations and log those not seen before."""
        for each in drift:
            self._metrics.drifted(operation, each.kind)
            known = (operation, each) in self._seen
            if not known and len(self._seen) >= _REMEMBERED:
                continue
            self._seen[operation, each] += 1
            if not known:
                log.warning("upstream_drift", operation=operation, kind=each.kind, path=each.path[:_PATH_LENGTH])


class CacheMetrics:
    """An `app.policies.cache.model.CacheObserver`: counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def looked_up(self, outcome: CacheOutcome) -> None:
        self._metrics.looked_up(outcome)

    def store_failed(self, action: str) -> None:
        self._metrics.state_failed(f"cache_{action}")


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
