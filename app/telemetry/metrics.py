"""Prometheus metrics of one gateway process.

Labels are bounded: routes and operations are fixed sets, and nothing a caller or the platform writes becomes a label.
"""

from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Metric = TypeVar("Metric", Counter, Histogram)

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._children: dict[tuple[Any, ...], Any] = {}
        self._requests = Histogram(
            "umail_gateway_request_duration_seconds",
            "Requests by method, route and status.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._aborted = Counter(
            "umail_gateway_responses_aborted",
            "Answers that broke off after they had begun, by route and reason.",
            ["route", "code"],
            registry=self._registry,
        )
        self._upstream = Histogram(
            "umail_gateway_upstream_duration_seconds",
            "Calls to the platform by operation and outcome.",
            ["operation", "outcome"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._drift = Counter(
            "umail_gateway_upstream_drift",
            "Deviations of the platform's replies from the expected form, by operation and kind.",
            ["operation", "kind"],
            registry=self._registry,
        )

        self._retries = Counter(
            "umail_gateway_upstream_retries",
            "Tries after the first, by operation.",
            ["operation"],
            registry=self._registry,
        )
        self._cache = Counter(
            "umail_gateway_cache_lookups",
            "Reads by where their answer came from.",
            ["outcome"],
            registry=self._registry,
        )
        self._state_failures = Counter(
            "umail_gateway_state_failures",
            "Uses of the state store that failed, by what was wanted of it.",
            ["action"],
            registry=self._registry,
        )
        self._audit_failures = Counter(
            "umail_gateway_audit_failures",
            "Entries of the audit log that could not be written.",
            registry=self._registry,
        )
        self._breaker_changes = Counter(
            "umail_gateway_breaker_changes",
            "Changes of circuit breakers, by the state they came into.",
            ["state"],
            registry=self._registry,
        )
        self._breakers_open = Gauge(
            "umail_gateway_breakers_open",
            "Platforms that are being left alone, or tried with one call at a time.",
            registry=self._registry,
        )
        self._refused = Counter(
            "umail_gateway_refused",
            "Requests and calls that were refused to keep the gateway within bounds, by reason.",
            ["reason"],
            registry=self._registry,
        )

    def retried(self, operation: str) -> None:
        """Count a try after the first."""
        self._retries.labels(operation).inc()

    def looked_up(self, outcome: str) -> None:
        """Count a read by where its answer came from."""
        self._child(self._cache, outcome).inc()

    def state_failed(self, action: str) -> None:
        """Count a failed use of the state store."""
        self._state_failures.labels(action).inc()

    def audit_failed(self) -> None:
        """Count an entry of the audit log that is lost."""
        self._audit_failures.inc()

    def breaker_changed(self, state: str) -> None:
        """Count a circuit breaker's change, and keep count of those that are not closed."""
        self._breaker_changes.labels(state).inc()

    def breakers_open(self, number: int) -> None:
        """Set the number of circuit breakers that are not closed."""
        self._breakers_open.set(number)

    def refused(self, reason: str) -> None:
        """Count a refusal: `tenant_limit`, `key_limit`, `tenant_slots`, `upstream_slots`, `requests`, `address`."""
        self._refused.labels(reason).inc()

    def response_aborted(self, route: str, code: str) -> None:
        """Count one answer that broke off after it had begun; `request_finished` has counted its status."""
        self._aborted.labels(route, code).inc()

    def request_finished(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; methods outside HTTP's own become `other`."""
        known = method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} else "other"
        self._child(self._requests, known, route, str(status)).observe(seconds)

    def upstream_finished(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one call to the platform."""
        self._child(self._upstream, operation, outcome).observe(seconds)

    def drifted(self, operation: str, kind: str) -> None:
        """Count one deviation."""
        self._drift.labels(operation, kind).inc()

    def _child(self, metric: Metric, *labels: str) -> Metric:
        """Return a metric's child; the library takes a lock to find it."""
        key = (metric, *labels)
        child: Metric | None = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)
