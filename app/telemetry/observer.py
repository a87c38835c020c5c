"""Turns what the gateway observes into metrics, log lines and what traces tell."""

import logging
from collections import Counter
from collections.abc import Mapping

import structlog

from app.gateway.context import RequestContext, UpstreamCall
from app.policies.breaker import CircuitState
from app.policies.breakers import BreakerKey
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
        """Count an exchange with the platform; the access log carries its details."""
        self._metrics.upstream_finished(call.operation, call.outcome, call.seconds)
        if call.attempt > 1:
            self._metrics.retried(call.operation)

    def waited(self, context: RequestContext, which: str, seconds: float) -> None:
        """Count a wait for a slot."""
        self._metrics.waited(which, seconds)
        if context.trace is not None:
            context.trace.spent("wait for a slot", seconds, slot=which)

    def refused(self, context: RequestContext, reason: str) -> None:
        """Count a refusal; `app.telemetry.metrics.Metrics.refused` lists the reasons."""
        self._metrics.refused(reason)
        context.refusal = context.refusal or reason
        if context.trace is not None:
            context.trace.noted("refused", reason=reason)

    def retrying(self, context: RequestContext, operation: str, outcome: str, seconds: float) -> None:
        """Count the time until the next try."""
        self._metrics.backed_off(operation, seconds)
        if context.trace is not None:
            context.trace.noted("retry", operation=operation, outcome=outcome, wait_seconds=seconds)

    def login_changed(self, tenant: str, *, paused: bool) -> None:
        """Log that a login is paused, or taken again."""
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
        """Count a read by where its answer came from."""
        self._metrics.looked_up(outcome)

    def store_failed(self, action: str) -> None:
        """Count a failed use of the shared store."""
        self._metrics.state_failed(f"cache_{action}")
